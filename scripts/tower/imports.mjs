// Which file of src/ imports which: values and types alike, for both are knowledge of a neighbour.
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { Visitor } from "oxc-parser";
import { readSources } from "../sources.mjs";

/** `{ from, to, line }` for each import of a file of src/ by a file of src/, and the paths of all files. */
export function readImports(root) {
  const own = ownNames(root);
  const sources = readSources(root, "src");
  const paths = new Set(sources.map(({ path }) => path));
  const imports = sources.flatMap(({ path, program, module, lineOf }) =>
    requests(program, module).flatMap(({ specifier, at }) =>
      targets(path, specifier, own)
        .map((target) => find(target, paths, `${path}:${lineOf(at)}`))
        .map((to) => ({ from: path, to, line: lineOf(at) })),
    ),
  );
  return { paths: [...paths], imports };
}

/** Every module that a file names: `import`, `export … from`, `import()`, and `import()` in a type. */
function requests(program, module) {
  const found = new Map(); // by offset: an `export * from` is listed once for each of its entries
  for (const { moduleRequest: request } of module.staticImports) found.set(request.start, request.value);
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest: request } of entries) if (request) found.set(request.start, request.value);
  }
  const note = ({ source }) => {
    if (source.type === "Literal" && typeof source.value === "string") found.set(source.start, source.value);
  };
  new Visitor({ ImportExpression: note, TSImportType: note }).visit(program);
  return [...found].map(([at, specifier]) => ({ at, specifier }));
}

/** The files that a specifier can mean, whatever the condition; none for another package. */
function targets(from, specifier, own) {
  if (specifier.startsWith(".")) return [posix.join(posix.dirname(from), specifier)];
  if (specifier.startsWith("#") && !own.has(specifier)) throw new Error(`${from}: package.json has no ${specifier}`);
  return own.get(specifier) ?? [];
}

/** The names by which package.json lets the package import itself: its `exports` and its `imports`. */
function ownNames(root) {
  const file = join(root, "package.json");
  const { name, exports = {}, imports = {} } = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const names = new Map();
  for (const [key, value] of Object.entries(exports)) names.set(posix.join(name, key), built(value));
  for (const [key, value] of Object.entries(imports)) names.set(key, built(value));
  return names;
}

/** Every file of src/ that is behind a condition of an export, of whatever depth. */
function built(value) {
  if (typeof value === "object") return [...new Set(Object.values(value ?? {}).flatMap(built))];
  if (!/\.js$/.test(value)) return [];
  return [posix.normalize(value).replace(/^dist\//, "src/")];
}

function find(target, paths, where) {
  const stem = target.replace(/\.jsx?$/, "");
  for (const path of [target, `${stem}.ts`, `${stem}.tsx`]) if (paths.has(path)) return path;
  throw new Error(`${where} imports ${target}, which is not there`);
}
