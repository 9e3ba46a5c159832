// Runs the tests against the newest versions that the package allows, and the endings against one between, in a copy, so
// that node_modules here stays as it is locked.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyTree } from "./copy.mjs";

const connect = (version) =>
  Object.fromEntries(["connect", "connect-node", "connect-web"].map((name) => [`@connectrpc/${name}`, version]));

// What has nothing to do with the versions.
const others = ["browser/**", "react/**", "docs/**", "bundlers.test.ts", "examples*.test.ts", "tower.test.ts"];
const all = others.map((path) => `--exclude=test/${path}`);
const endings = ["test/wire/classify.test.ts", "test/wire/attempts.test.ts"];

const copy = mkdtempSync(join(tmpdir(), "farewell-matrix-"));
try {
  copyTree(copy);
  runWith({ ...connect("2.2.0"), "p-retry": "9.0.0" }, endings);
  runWith({ ...connect("2.3.0"), "p-retry": "9.0.0" }, all);
} finally {
  rmSync(copy, { recursive: true, force: true });
}

function runWith(versions, tests) {
  const wanted = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--engine-strict=false", ...wanted]);
  for (const [name, version] of Object.entries(versions)) {
    const installed = JSON.parse(readFileSync(join(copy, "node_modules", name, "package.json"), "utf8")).version;
    if (installed !== version) throw new Error(`expected ${name} ${version}, found ${installed}`);
  }
  run("npx", ["--no", "vitest", "run", ...tests]);
}

function run(command, args) {
  console.log(`> ${command} ${args.join(" ")}`);
  execFileSync(command, args, { cwd: copy, stdio: "inherit" });
}
