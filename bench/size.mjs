import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import budgets from "../.size-limit.mjs";
import { atMost, context, main } from "./report.mjs";

// The budgets of .size-limit.mjs, and where the bytes of the client are.

const root = fileURLToPath(new URL("..", import.meta.url));

async function bundle(imports, ignore) {
  const contents = Object.entries(imports).map(([path, names]) => `export ${names} from "./${path}";`);
  const [{ modifyEsbuildConfig }] = budgets;
  const { metafile, outputFiles } = await build(
    modifyEsbuildConfig({
      stdin: { contents: contents.join("\n"), resolveDir: root },
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      external: ignore,
      metafile: true,
      write: false,
      outdir: root,
      absWorkingDir: root,
    }),
  );
  const [output] = Object.values(metafile.outputs);
  const [{ contents: code }] = outputFiles;
  return { minified: code.length, gzip: gzipSync(code, { level: 9 }).length, inputs: output.inputs };
}

export async function measure() {
  const rows = [];
  for (const { name, limit, import: imports, ignore } of budgets) {
    const { gzip, minified } = await bundle(imports, ignore);
    rows.push(atMost(name, gzip, Number.parseFloat(limit) * 1_000, "bytes gzip", `${minified} minified`));
  }
  const [{ import: client, ignore }] = budgets;
  const whole = await bundle(client, ignore);
  const without = await bundle(client, [...ignore, "eventemitter3"]);
  rows.push(context("  what eventemitter3 adds", whole.gzip - without.gzip, "bytes gzip"));
  const all = await bundle({ "dist/index.js": "*" }, ignore);
  rows.push(context(`everything in "farewell"`, all.gzip, "bytes gzip", `${all.minified} minified`));
  const files = Object.entries(whole.inputs).sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  for (const [file, { bytesInOutput }] of files) {
    const share = Math.round((bytesInOutput / whole.minified) * 100);
    if (bytesInOutput > 0) rows.push(context(`  ${file}`, bytesInOutput, "bytes minified", `${share} %`));
  }
  return rows;
}

await main(import.meta.url, measure);
