import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { atMost, context, main } from "./report.mjs";

// What an app's bundle grows by: the client core with its two dependencies, minified and compressed, without the peers
// that the app has anyway.

const root = fileURLToPath(new URL("..", import.meta.url));
const peers = ["@connectrpc/connect", "@bufbuild/protobuf"];
const byNeed = "./companion.js"; // loaded where a session asks for it
const dependencies = ["eventemitter3", "p-retry"];

async function bundle(contents, external) {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external,
    metafile: true,
    write: false,
    outdir: root,
    absWorkingDir: root,
  });
  const [output] = Object.values(metafile.outputs);
  const [{ contents: code }] = outputFiles;
  return { minified: code.length, gzip: gzipSync(code, { level: 9 }).length, inputs: output.inputs };
}

export async function measure() {
  const core = `export { createClient, createSession, method } from "./dist/index.js";`;
  const whole = await bundle(core, [...peers, byNeed]);
  const rows = [atMost("client core", whole.gzip, 6_000, "bytes gzip", `${whole.minified} minified`)];
  const bare = await bundle(core, [...peers, byNeed, ...dependencies]);
  rows.push(context("  of it our own", bare.gzip, "bytes gzip", `${bare.minified} minified`));
  for (const dependency of dependencies) {
    const without = await bundle(core, [...peers, byNeed, dependency]);
    const note = `${whole.minified - without.minified} minified`;
    rows.push(context(`  what ${dependency} adds`, whole.gzip - without.gzip, "bytes gzip", note));
  }
  const attended = await bundle(core, peers);
  rows.push(context("  what the companion adds, by need", attended.gzip - whole.gzip, "bytes gzip"));
  const parts = { browser: ["{ browser }", 2_000], react: ["{ useDisconnect, useSession, useStream }", 1_000] };
  for (const [part, [names, bar]] of Object.entries(parts)) {
    const both = await bundle(`${core} export ${names} from "./dist/${part}/index.js";`, [...peers, byNeed, "react"]);
    rows.push(atMost(`what farewell/${part} adds`, both.gzip - whole.gzip, bar, "bytes gzip"));
  }
  const all = await bundle(`export * from "./dist/index.js";`, peers);
  rows.push(context(`everything in "farewell"`, all.gzip, "bytes gzip", `${all.minified} minified`));
  const files = Object.entries(whole.inputs).sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  for (const [file, { bytesInOutput }] of files) {
    const share = Math.round((bytesInOutput / whole.minified) * 100);
    if (bytesInOutput > 0) rows.push(context(`  ${file}`, bytesInOutput, "bytes minified", `${share} %`));
  }
  return rows;
}

await main(import.meta.url, measure);
