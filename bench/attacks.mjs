import { spawn } from "node:child_process";
import { once } from "node:events";
import { buildSync } from "esbuild";
import { round } from "./figures.mjs";
import { context, main } from "./report.mjs";

// What the attacks of the tests cost the server, and what a setting makes of them. Processor time is counted in unary calls
// of a guest's on the same server, which says more than microseconds where other programs run, too.

export async function measure() {
  const { outputFiles } = buildSync({
    entryPoints: ["test/server/attacks/measure.ts"],
    bundle: true,
    format: "esm",
    packages: "external",
    platform: "node",
    write: false,
  });
  const child = spawn(process.execPath, ["--input-type=module", "-"], { stdio: ["pipe", "inherit", "inherit", "ipc"] });
  child.stdin.end(outputFiles[0].text);
  const rows = [];
  child.on("message", ({ attack, setting, tries, calls, held, kept, inside, connections }) => {
    const bytes = `each ${Math.round(held)} bytes while it lasts, ${Math.round(kept)} kept`;
    const note = `${tries} tries; ${bytes}; ${inside} streams, ${connections} connections`;
    rows.push(context(`${attack}${setting && ` with ${setting}`}`, round(calls, 3), "calls of CPU each", note));
  });
  await once(child, "exit");
  return rows;
}

await main(import.meta.url, measure);
