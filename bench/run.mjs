import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "./report.mjs";

// npm run bench                    everything, one after the other; writes results.json
// npm run bench -- --only a,b      some of it; writes nothing
//
// Each benchmark has a process of its own, so that none runs code that another one has warmed up or worn out. A row that
// misses its bar is printed as such and fails nothing: that is for the reader to judge.

const client = ["size", "herd", "ban", "flap", "twenty", "kick", "memory", "overhead"];
const server = ["storm", "door", "kick-live", "kick-all", "interceptor", "attacks"];
const names = [...client, ...server];

const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
const wanted = only?.split(",") ?? names;
for (const name of wanted) {
  if (!names.includes(name))
    throw new TypeError(`--only: expected some of ${names.join(", ")}, got ${JSON.stringify(name)}`);
}

async function run(name) {
  console.log(`\n== ${name}`);
  const child = fork(fileURLToPath(new URL(`${name}.mjs`, import.meta.url)));
  const [message] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (message?.rows) return message.rows;
  return [{ name: `${name}: failed with exit code ${message}`, figure: "–", bar: "to run", ok: false }];
}

function versionOf(dependency) {
  const file = new URL(`../node_modules/${dependency}/package.json`, import.meta.url);
  return `${dependency} ${JSON.parse(readFileSync(file, "utf8")).version}`;
}

const results = [];
for (const name of wanted) results.push(...(await run(name)));

const barred = results.filter(({ ok }) => ok !== undefined);
const missed = barred.filter(({ ok }) => !ok);
console.log(`\n${barred.length - missed.length} of ${barred.length} bars met`);
if (missed.length > 0) console.log(table(missed));

if (only === undefined) {
  const [{ model }] = cpus();
  const machine = `${model}, ${cpus().length} cores, ${process.platform} ${process.arch}, Node ${process.versions.node}`;
  const peers = ["@connectrpc/connect", "@connectrpc/connect-node", "@bufbuild/protobuf"].map(versionOf).join(", ");
  const file = fileURLToPath(new URL("results.json", import.meta.url));
  const measured = new Date().toISOString().slice(0, 10);
  writeFileSync(file, `${JSON.stringify({ measured, machine, peers, results }, null, 2)}\n`);
}
