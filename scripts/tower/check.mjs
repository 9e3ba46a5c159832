// Refuses what breaks the tower: npm run check:tower [-- --report] [folder]. With --report it tells, and lets pass.
import { parseArgs } from "node:util";
import { readImports } from "./imports.mjs";
import { plan } from "./plan.mjs";
import { violations } from "./violations.mjs";

const titles = {
  room: "Files without a room",
  circle: "Circles",
  arrow: "Arrows that do not run down",
  face: "Imports past a room's face",
};

const { values, positionals } = parseArgs({ options: { report: { type: "boolean" } }, allowPositionals: true });
const tree = readImports(positionals[0] ?? ".");
const found = violations(tree, plan);

for (const [kind, title] of Object.entries(titles)) {
  const those = found.filter((one) => one.kind === kind);
  if (those.length === 0) continue;
  console.log(`${title} (${those.length})`);
  for (const { where, what } of those) console.log(`  ${where} ${what}`);
}
console.log(`${tree.paths.length} files, ${tree.imports.length} imports, ${found.length} against the tower.`);
if (found.length > 0 && !values.report) process.exitCode = 1;
