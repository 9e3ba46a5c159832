import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

let files: { readonly [path: string]: string } | undefined;

/**
 * What the page is made of, by path: bundled from source, once. `/elsewhere` is a page without a chat; to
 * `/sandboxed` the browser gives neither storage nor an origin.
 */
export function pageFiles(): { readonly [path: string]: string } {
  const page = readFileSync(new URL("page/index.html", import.meta.url), "utf8");
  files ??= {
    "/": page,
    "/sandboxed": page,
    "/page.js": bundle(),
    "/elsewhere":
      '<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,"><p role="status">elsewhere</p>',
  };
  return files;
}

function bundle(): string {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL("page/main.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    alias: {
      "#transport-errors": fileURLToPath(new URL("../../src/disconnect/no-node-errors.ts", import.meta.url)),
      "#connection": fileURLToPath(new URL("../../src/session/no-connection.ts", import.meta.url)),
    },
    target: "es2022",
    write: false,
  });
  return outputFiles.map(({ text }) => text).join("");
}
