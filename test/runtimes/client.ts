import { type ClientName, clients } from "../wire/clients.js";
import { type Act, acts } from "./acts.js";
import { type Difference, differences } from "./differences.js";
import { raise, type Seen } from "./raise.js";

// Runs in each runtime: raises every act for every client, and says what was not as it should be. Ends by itself.

const [runtime = "", stage = ""] = process.argv.slice(2);
const unhandled: unknown[] = [];
for (const event of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(event, (error: unknown) => void unhandled.push(error));
}
const wrong: string[] = [];
const met = new Set<Difference>();
let raised = 0;
const underWay = new Map<ClientName, string>();
process.once("SIGTERM", () => {
  console.error(`it took too long; under way after ${raised}:`, Object.fromEntries(underWay));
  process.exit(1);
});

await Promise.all((Object.keys(clients) as ClientName[]).map(tour));
await new Promise((resolve) => setTimeout(resolve)); // what nobody handles is told at the end of a turn
for (const error of unhandled) wrong.push(`nobody handled ${error instanceof Error ? error.stack : String(error)}`);
for (const difference of differences.filter((each) => each.runtime === runtime && !each.sometimes && !met.has(each))) {
  wrong.push(`${difference.acts} is as in Node now, and no difference any more`);
}
for (const line of wrong) console.error(line);
console.log(`${raised} endings raised, ${wrong.length} not as they should be`);
if (wrong.length > 0) process.exitCode = 1;

async function tour(name: ClientName): Promise<void> {
  for (const [index, act] of acts.entries()) {
    if (!act.on.includes(name)) continue;
    const difference = differenceOf(name, act);
    if (difference?.reasons === "never raised") {
      met.add(difference);
      continue;
    }
    const addresses: string[] = [];
    const addressOf = async () => {
      const address = await ask("start", { client: name, act: String(index) });
      addresses.push(address);
      return address;
    };
    // What hangs is given up soon; for all else this is a net.
    underWay.set(name, act.name);
    const seen = await raise(clients[name], addressOf, act.outcome === "hangs" ? 300 : 60_000);
    for (const url of addresses) await ask("stop", { url });
    underWay.delete(name);
    raised++;
    judge(name, act, seen);
  }
}

function judge(name: ClientName, act: Act, seen: Seen): void {
  const complain = (what: string) => wrong.push(`${name}: ${act.name}: ${what}: ${seen.words}`);
  if (seen.finals !== 1) complain(`a session told ${seen.finals} ends of its stream`);
  const said = act.reasons.includes("kicked") ? "kicked" : "";
  if (seen.verdicts.join() !== said) complain(`a session told the verdicts ${seen.verdicts}`);
  if (isAs(act, seen)) return;
  const difference = differenceOf(name, act);
  const reasons = difference?.reasons ?? "never raised";
  if (difference && reasons !== "never raised" && isAs({ ...act, reasons }, seen)) met.add(difference);
  else complain(`it ${seen.outcome}, ${seen.reason}`);
}

function differenceOf(name: ClientName, act: Act): Difference | undefined {
  return differences.find((each) => each.runtime === runtime && each.on.includes(name) && each.acts.test(act.name));
}

function isAs({ outcome, reasons }: Pick<Act, "outcome" | "reasons">, seen: Seen): boolean {
  if (outcome === "hangs" && seen.outcome === "hangs") return true;
  // What hangs for one runtime or one order of events may be noticed in another.
  return (outcome === "hangs" || outcome === seen.outcome) && reasons.some((reason) => reason === seen.reason);
}

async function ask(what: "start" | "stop", wanted: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(`${stage}/${what}?${new URLSearchParams(wanted)}`, { method: "POST" });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
