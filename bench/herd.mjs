import { round, seeded } from "./figures.mjs";
import { sessionOfOne } from "./machine.mjs";
import { atMost, context, main } from "./report.mjs";

// 10,000 clients lost in the same instant, and a server that refuses at once for five minutes: which share of them
// arrives in the worst 100 ms. The clients are the package's own state machine, run through simulated time; the peers
// are their published delay formulas in the same simulation, without their libraries.

const clients = 10_000;
const downMs = 300_000;
const windowMs = 100;
const lateMs = 30_000;

const words = { message: "", localized: undefined, said: false, source: "transport", cause: undefined };
const network = { ...words, reason: "network" };
const said = { ...words, said: true, source: "detail" };

/** When a session arrives at the server, from its loss at 0 on. The first disconnect is how it was lost. */
function* attemptsOf(disconnect, random) {
  const session = sessionOfOne();
  for (let now = session.lost(disconnect, 0, random()); now < Number.POSITIVE_INFINITY; ) {
    yield now;
    now = session.lost(network, now, random());
  }
}

/** A peer's delays, one after the other: `delayMs(n)`, counted from 0. */
function* delaysOf(delayMs) {
  let now = 0;
  for (let number = 0; now < downMs; number++) {
    now += Math.max(1, delayMs(number)); // a refusal takes no time, but not less than nothing
    yield now;
  }
}

const clamp = (ms, maxMs) => Math.min(ms, maxMs);
const peers = {
  "SignalR 10.0.11": () => (n) => [0, 2_000, 10_000, 30_000][n] ?? Number.POSITIVE_INFINITY,
  "socket.io-client 4.8.4": (random) => (n) => clamp(1_000 * 2 ** n * (0.5 + random()), 5_000),
  "centrifuge 5.8.0": (random) => (n) => clamp(500 + random() * clamp(500 * 2 ** n, 20_000), 20_000),
  "@firebase/firestore 4.17.2": (random) => (n) =>
    n === 0 ? 0 : clamp(1_000 * 1.5 ** (n - 1), 60_000) * (0.5 + random()),
};

function worstShare(times) {
  const sorted = Float64Array.from(times).sort();
  let most = 0;
  for (let first = 0, last = 0; last < sorted.length; last++) {
    while (sorted[last] - sorted[first] >= windowMs) first++; // half open: times are whole milliseconds
    most = Math.max(most, last - first + 1);
  }
  return round((most / clients) * 100, 2);
}

function simulate(attempts) {
  const [firsts, all, late] = [[], [], []];
  const random = seeded(1);
  for (let client = 0; client < clients; client++) {
    let number = 0;
    for (const at of attempts(random)) {
      if (at >= downMs) break;
      if (number++ === 0) firsts.push(at);
      all.push(at);
      if (at >= lateMs) late.push(at);
    }
  }
  return {
    first: worstShare(firsts),
    any: worstShare(all),
    late: worstShare(late),
    note: `${round(all.length / clients, 1)} attempts each in ${downMs / 60_000} min`,
  };
}

export async function measure() {
  const back = new Date(30_000);
  const ours = {
    network,
    aborted: { ...words, reason: "aborted" },
    maintenance: { ...said, reason: "maintenance", retryAt: undefined },
    "maintenance, back in 30 s": { ...said, reason: "maintenance", retryAt: back },
    "throttled, for 30 s": { ...said, reason: "throttled", retryAt: back },
  };
  const rows = Object.entries(ours).flatMap(([name, disconnect]) => {
    const { first, any, late, note } = simulate((random) => attemptsOf(disconnect, random));
    return [
      atMost(`herd, ${name}: first attempts in 100 ms`, first, 11, "%", `of all attempts: ${any} %`),
      name.includes("30 s")
        ? context(`herd, ${name}: attempts in 100 ms from 30 s on`, late, "%", note)
        : atMost(`herd, ${name}: attempts in 100 ms from 30 s on`, late, 1, "%", note),
    ];
  });
  for (const [name, delay] of Object.entries(peers)) {
    const { first, any, late, note } = simulate((random) => delaysOf(delay(random)));
    rows.push(
      context(`herd, ${name} (its formula): first attempts in 100 ms`, first, "%", `of all attempts: ${any} %`),
    );
    rows.push(context(`herd, ${name} (its formula): attempts in 100 ms from 30 s on`, late, "%", note));
  }
  return rows;
}

await main(import.meta.url, measure);
