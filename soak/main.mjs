import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { calmDown } from "./calm.mjs";
import { createFigures } from "./figures.mjs";
import { openHouse } from "./house.mjs";
import { createLog } from "./log.mjs";
import { chaosMs, phaseOf } from "./plan.mjs";
import { endAll } from "./process.mjs";
import { beginning } from "./ticks.mjs";
import { createVerdicts } from "./verdicts.mjs";

// npm run soak -- --minutes 30                     from a seed of the day
// npm run soak -- --minutes 5 --seed 7 --verbose   what happened with this seed, told as it happens
//
// Two houses: a server each, its clients, and a bad path between them. The server of one is killed now and then, that of the
// other never, so that what it holds can be told. Each phase is forty seconds of chaos, and then a calm in which all is to be as
// it ought to be.

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 1_000) % 1_000_000) },
    streams: { type: "string", default: "160" },
    verbose: { type: "boolean", default: false },
  },
});
const minutes = numberIn("minutes", 0.1);
const seed = numberIn("seed", 0);
const streams = numberIn("streams", 8);
const eachHouse = Math.max(1, Math.round(streams / 8)); // users, of four streams each

function numberIn(option, least) {
  const number = Number(values[option]);
  if (number >= least) return number;
  throw new TypeError(`--${option}: expected a number of at least ${least}, got ${JSON.stringify(values[option])}`);
}

const log = createLog(values.verbose);
const figures = createFigures(log);
const folder = mkdtempSync(join(tmpdir(), "farewell-soak-"));
process.on("exit", () => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));

console.log(`soak: ${minutes} minutes, seed ${seed}, ${eachHouse * 8} streams`);
const startedAt = performance.now();
const minute = () => (performance.now() - startedAt) / 60_000;
const houses = await Promise.all(["mortal", "lasting"].map(open));

async function open(name) {
  const users = Array.from({ length: eachHouse }, (_, index) => ({ user: `${name}-${index}`, index }));
  const house = await openHouse({ name, users, folder, startedAt: beginning() - 60_000, log });
  return { house, names: users.map(({ user }) => user), verdicts: createVerdicts(house, users, log) };
}

for (let phase = 0; phase === 0 || minute() < minutes; phase++) {
  await Promise.all(houses.map((one) => live(one, phase))).catch((error) => log.violation(error.stack));
  if (log.violations.length > 0) break; // the last events are those that matter
}
figures.judge();
if (log.violations.length === 0) await Promise.all(houses.map(({ house }) => house.close()));
report();

/** One phase of one house: chaos, and then a calm. */
async function live({ house, names, verdicts }, phase) {
  const { name, weather } = house;
  const events = phaseOf(seed, phase, name, names, name === "mortal");
  const sameSession = new Map(events.map((event) => [event.user, event.sameSession]));
  const beganAt = performance.now();
  const underway = [];
  for (const event of events) {
    await sleep(Math.max(0, beganAt + event.at - performance.now()));
    const { at, what, ...more } = event;
    log.add(`${name}: ${what} ${JSON.stringify(more)}`);
    const carryOut = weather[what] ?? verdicts.carryOut[what];
    underway.push(carryOut(event).catch((error) => log.violation(`${name}: ${what}: ${error.stack}`)));
  }
  await sleep(Math.max(0, beganAt + chaosMs - performance.now()));
  await Promise.all(underway);
  verdicts.settle();
  log.add(`${name}: phase ${phase} is over`);
  for (const fault of await calmDown(house, verdicts.expectedOf, phase % 5 === 4, log))
    log.violation(`${name}, once all is quiet: ${fault}`);
  if (log.violations.length > 0) return;
  await verdicts.knock();
  figures.add(minute(), name, await house.measure(), house.life);
  await verdicts.forgive((user) => sameSession.get(user) ?? false);
}

function report() {
  if (log.violations.length === 0) {
    console.log(`0 violations, in ${minute().toFixed(1)} minutes, with the seed ${seed}`);
    process.exit(0);
  }
  console.error(`\nThe last ${log.events.length} events:\n${log.events.join("\n")}`);
  console.error(
    `\n${log.violations.length} violations, with the seed ${seed}:\n${log.violations.slice(0, 20).join("\n")}`,
  );
  process.exit(1);
}
