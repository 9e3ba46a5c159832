// The TypeScript files of a tree, parsed. TypeScript 7 has no API for scripts; oxc-parser reads the same language.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { parseSync } from "oxc-parser";

/** Every source file under `folder`, in the order of its name; paths are relative to `root`, with slashes. */
export function readSources(root, folder) {
  const paths = readdirSync(join(root, folder), { recursive: true })
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"))
    .sort();
  return paths.map((path) => {
    const file = join(root, folder, path);
    return parse(relative(root, file).split(sep).join("/"), readFileSync(file, "utf8"));
  });
}

function parse(path, text) {
  const { program, module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  /** The line, from 1, on which an offset lies. */
  const lineOf = (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
  return { path, program, module, lineOf, lines: text.endsWith("\n") ? starts.length - 1 : starts.length };
}
