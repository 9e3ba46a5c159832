import { nodeTransport } from "farewell/node";
import { type Client, type ClientName, clients, type Link, linkTo } from "../wire/clients.js";
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
const underWay = new Map<string, string>();
process.once("SIGTERM", () => {
  console.error(`it took too long; under way after ${raised}:`, Object.fromEntries(underWay));
  process.exit(1);
});

/** A client that all acts are raised for which are `like` one's. */
interface Tourist {
  readonly name: string;
  readonly like: ClientName;
  readonly ours: boolean;
  readonly link: (address: string) => Link;
}

const tourists = (Object.keys(clients) as ClientName[]).flatMap((like): readonly Tourist[] => {
  const client = clients[like];
  const bare = { name: like, like, ours: false, link: (address: string) => linkTo(address, client) };
  const link = (address: string) => ourLinkTo(address, client);
  return client.library === "connect-node" ? [bare, { name: `farewell/${like}`, like, ours: true, link }] : [bare];
});
await Promise.all(tourists.map(tour));
await new Promise((resolve) => setTimeout(resolve)); // what nobody handles is told at the end of a turn
for (const error of unhandled) wrong.push(`nobody handled ${error instanceof Error ? error.stack : String(error)}`);
for (const difference of differences.filter((each) => each.runtime === runtime && !each.sometimes && !met.has(each))) {
  wrong.push(`${difference.acts} is as in Node now, and no difference any more`);
}
for (const line of wrong) console.error(line);
console.log(`${raised} endings raised, ${wrong.length} not as they should be`);
if (wrong.length > 0) process.exitCode = 1;

async function tour(tourist: Tourist): Promise<void> {
  const { name, like, link } = tourist;
  for (const [index, act] of acts.entries()) {
    if (!act.on.includes(like)) continue;
    const difference = differenceOf(tourist, act);
    if (difference?.reasons === "never raised") {
      met.add(difference);
      continue;
    }
    const addresses: string[] = [];
    const addressOf = async () => {
      const address = await ask("start", { client: like, act: String(index) });
      addresses.push(address);
      return address;
    };
    // What hangs is given up soon; for all else this is a net.
    underWay.set(name, act.name);
    const seen = await raise(link, addressOf, act.outcome === "hangs" ? 300 : 60_000);
    for (const url of addresses) await ask("stop", { url });
    underWay.delete(name);
    raised++;
    judge(tourist, act, seen);
  }
}

function judge(tourist: Tourist, given: Act, seen: Seen): void {
  // What connect-node does not notice, ours does: a connection that is gone, or a stream that is reset with code 0.
  const noticed = tourist.ours && given.outcome === "hangs";
  const act: Act = noticed ? { ...given, reasons: [...given.reasons, "aborted"] } : given;
  const complain = (what: string) => wrong.push(`${tourist.name}: ${act.name}: ${what}: ${seen.words}`);
  if (seen.finals !== 1) complain(`a session told ${seen.finals} ends of its stream`);
  const said = act.reasons.includes("kicked") ? "kicked" : "";
  if (seen.verdicts.join() !== said) complain(`a session told the verdicts ${seen.verdicts}`);
  if (isAs(act, seen)) return;
  const difference = differenceOf(tourist, act);
  const reasons = difference?.reasons ?? "never raised";
  if (difference && reasons !== "never raised" && isAs({ ...act, reasons }, seen)) met.add(difference);
  else complain(`it ${seen.outcome}, ${seen.reason}`);
}

function differenceOf({ like, ours }: Tourist, act: Act): Difference | undefined {
  return differences.find(
    (each) =>
      each.runtime === runtime && each.on.includes(like) && each.acts.test(act.name) && (!ours || each.ours === true),
  );
}

function ourLinkTo(baseUrl: string, { httpVersion, protocol }: Client): Link {
  const transport =
    httpVersion === "1.1" && protocol !== "grpc"
      ? nodeTransport({ baseUrl, httpVersion, protocol })
      : nodeTransport({ baseUrl, protocol });
  return { transport, connection: transport.connection.state };
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
