import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const programs = new Map<string, string>();

/** A program of the tests as JavaScript, for a process's stdin: Node 20 runs no TypeScript, and no file is to be written. */
export function programOf(url: URL): string {
  const known = programs.get(url.href);
  if (known !== undefined) return known;
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(url)],
    bundle: true,
    format: "esm",
    packages: "external",
    platform: "node",
    write: false,
  });
  const program = outputFiles.map(({ text }) => text).join("");
  programs.set(url.href, program);
  return program;
}
