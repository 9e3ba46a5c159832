// Raises every ending of the wire tests in each runtime: Node 20, 22 and 24, Deno and Bun, over real sockets, against
// the package as it was built. The runtimes come from the npm registry, into a folder that Git ignores.
import { execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = "test/runtimes";
const only = process.argv[2] ?? "";
const runtimes = [
  ["Node", "node-20/bin/node"],
  ["Node", "node-22/bin/node"],
  ["Node", "node-24/bin/node"],
  ["Deno", "deno/deno", "run", "--allow-all", "--quiet"],
  ["Bun", "bun/bin/bun.exe"],
];
/** A net: a runtime that has not ended by itself by then never will. */
const patienceMs = 900_000;

install();
await bundle();
const stage = fork(join(folder, "dist/stage.js"));
const failed = [];
try {
  const [address] = await once(stage, "message");
  for (const runtime of runtimes.filter(([, binary]) => binary.startsWith(only)))
    if (!(await passes(runtime, address))) failed.push(runtime[1]);
} finally {
  stage.disconnect();
}
if (failed.length > 0) throw new Error(`not as it should be: ${failed.join(", ")}`);

/** The versions that the lockfile says, if they are not there yet. */
function install() {
  const [wanted, installed] = ["package-lock.json", "node_modules/.package-lock.json"].map((file) => {
    const path = join(folder, file);
    if (!existsSync(path)) return undefined;
    const { "": _, ...packages } = JSON.parse(readFileSync(path, "utf8")).packages;
    return packages;
  });
  const there = Object.entries(installed ?? {}).every(([name, { version }]) => wanted[name]?.version === version);
  if (installed && there) return;
  execFileSync("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], { stdio: "inherit" });
}

/** Plain JavaScript that every runtime reads; the package itself stays as it was built. */
async function bundle() {
  const built = (path) => ({ path: pathToFileURL(path).href, external: true });
  await build({
    entryPoints: [join(folder, "client.ts"), join(folder, "stage.ts")],
    outdir: join(folder, "dist"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2022",
    packages: "external",
    logLevel: "warning",
    plugins: [
      {
        name: "as-built",
        setup({ onResolve }) {
          onResolve({ filter: /^farewell$/ }, () => built("dist/index.js"));
          onResolve({ filter: /^farewell\/node$/ }, () => built("dist/node/index.js"));
        },
      },
    ],
  });
}

/** Whether all was as it should be, in a process that ended by itself. */
async function passes([runtime, binary, ...options], address) {
  const command = join(folder, "node_modules", binary);
  const [version] = execFileSync(command, ["--version"], { encoding: "utf8" }).match(/\d+\.\d+\.\d+/) ?? [];
  const startedAt = performance.now();
  const child = spawn(command, [...options, join(folder, "dist/client.js"), runtime, address], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: patienceMs,
  });
  const told = child.stdout.setEncoding("utf8").toArray();
  const [code, signal] = await once(child, "exit");
  const summary = (await told).join("").trim();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(`${runtime} ${version}: ${summary || "nothing told"}, ${seconds} s`);
  if (signal) console.error(`${runtime} ${version} did not end by itself`);
  return code === 0 && /^[1-9]\d* endings raised, 0 /.test(summary);
}
