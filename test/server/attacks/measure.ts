import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, persist } from "./attack.js";
import { callAttacks, headOf } from "./calls.js";
import { http1Attacks } from "./http1.js";
import { callFrame, connectHttp2, dataFrame, http2Attacks } from "./http2.js";
import type { SiegeOptions } from "./orders.js";
import { connect, type Raw } from "./raw.js";
import { besiege, type Siege } from "./siege.js";

// What each attack costs the server, and what a setting makes of it. Started by bench/attacks.mjs.

/** What one attack has cost. */
interface Cost {
  readonly attack: string;
  readonly setting: string;
  readonly tries: number;
  /** Processor time of each try, in unary calls of a guest's. */
  readonly calls: number;
  /** Bytes that are in use for each, while it lasts, and after it is over. */
  readonly held: number;
  readonly kept: number;
  /** Streams that it has inside, and connections, while it lasts. */
  readonly inside: number;
  readonly connections: number;
}

const tries = 400;

/** Unary calls of a guest's, over one connection. */
const calls = (siege: Siege) =>
  siege.httpVersion === "2"
    ? persist(
        tries,
        () => connectHttp2(siege),
        (n) => Buffer.concat([callFrame(2 * n + 1, "Say"), dataFrame(2 * n + 1, Buffer.alloc(0), true)]),
      )
    : persist(
        tries,
        () => connect(siege),
        () => headOf("Say"),
      );

async function cpuOf(siege: Siege, work: () => Promise<unknown>): Promise<number> {
  const before = await siege.ask("cpu");
  await work();
  await sleep(300);
  return (await siege.ask("cpu")) - before;
}

async function costOf(
  attack: string,
  one: Attack,
  setting: string,
  options: SiegeOptions,
  lasts: number,
): Promise<Cost> {
  const siege = await besiege(options);
  for (let warmUp = 0; warmUp < 3; warmUp++) for (const raw of await calls(siege)) raw.close();
  const guests: Raw[] = [];
  const call = (await cpuOf(siege, async () => guests.push(...(await calls(siege))))) / tries;
  for (const raw of guests) raw.close();
  for (const raw of await one.run(siege, Math.min(50, one.quick))) raw.close();
  await sleep(300);
  const bytes = await siege.ask("bytes");
  let raws: Awaited<ReturnType<Attack["run"]>> = [];
  const cpu = await cpuOf(siege, async () => {
    raws = await one.run(siege, one.quick);
  });
  await sleep(lasts);
  const held = (await siege.ask("bytes")) - bytes;
  const { inside } = await siege.ask("stats");
  const connections = await siege.ask("connections");
  for (const raw of raws) raw.close();
  await sleep(300);
  const kept = (await siege.ask("bytes")) - bytes;
  await siege.close();
  const { quick } = one;
  return {
    attack,
    setting,
    tries: quick,
    calls: cpu / quick / call,
    held: held / quick,
    kept: kept / quick,
    inside: inside.streams,
    connections,
  };
}

/** A setting, by what it does to which attack. */
const h2 = "connect-node h2";
const h1 = "connect-node h1";
const limited = { readMaxBytes: 65_536 };
const variants: readonly (readonly [string, Attack, string, SiegeOptions, number?])[] = [
  [
    "h2: streams without end on a connection",
    http2Attacks["streams without end on a connection"],
    "settings.maxConcurrentStreams: 100",
    { gate: h2, settings: { settings: { maxConcurrentStreams: 100 } } },
  ],
  [
    "h2: streams without end on a connection",
    http2Attacks["streams without end on a connection"],
    "rateLimits.perUser: 20 a minute",
    { gate: h2, bouncer: { rateLimits: { perUser: { burst: 20, perMs: 60_000 } } } },
  ],
  [
    "h2: rapid reset",
    http2Attacks["rapid reset"],
    "rateLimits.perUser: 20 a minute",
    { gate: h2, bouncer: { rateLimits: { perUser: { burst: 20, perMs: 60_000 } } } },
  ],
  [
    "h2: slow headers",
    http2Attacks["slow headers"],
    "server.setTimeout(1,000)",
    { gate: h2, properties: { timeout: 1_000 } },
    2_000,
  ],
  [
    "h2: half-open sockets",
    callAttacks["half-open sockets"],
    "server.setTimeout(1,000)",
    { gate: h2, properties: { timeout: 1_000 } },
    2_000,
  ],
  [
    "h2: slow bodies of unary calls",
    callAttacks["slow bodies of unary calls"],
    "server.setTimeout(1,000)",
    { gate: h2, properties: { timeout: 1_000 } },
    2_000,
  ],
  [
    "h2: slow bodies of streams",
    callAttacks["slow bodies of streams"],
    "server.setTimeout(1,000)",
    { gate: h2, properties: { timeout: 1_000 } },
    2_000,
  ],
  [
    "h1: slow headers",
    http1Attacks["slow headers"],
    "headersTimeout: 1,000",
    { gate: h1, settings: { headersTimeout: 1_000, connectionsCheckingInterval: 200 } },
    2_000,
  ],
  [
    "h1: slow bodies of unary calls",
    callAttacks["slow bodies of unary calls"],
    "requestTimeout: 1,000",
    { gate: h1, settings: { headersTimeout: 1_000, requestTimeout: 1_000, connectionsCheckingInterval: 200 } },
    2_000,
  ],
  [
    "h1: half-open sockets",
    callAttacks["half-open sockets"],
    "headersTimeout: 1,000",
    { gate: h1, settings: { headersTimeout: 1_000, connectionsCheckingInterval: 200 } },
    2_000,
  ],
  ...(
    [
      "a length of 4 GB",
      "zip bombs, unary, gzip",
      "zip bombs, unary, brotli",
      "zip bombs, stream, gzip",
      "zip bombs, stream, brotli",
    ] as const
  ).map((name) => [`h2: ${name}`, callAttacks[name], "readMaxBytes: 65,536", { gate: h2, connect: limited }] as const),
  ...Object.entries(http2Attacks).map(([name, one]) => [`h2: ${name}`, one, "", { gate: h2 }] as const),
  ...Object.entries(http1Attacks).map(([name, one]) => [`h1: ${name}`, one, "", { gate: h1 }] as const),
  ...Object.entries(callAttacks).flatMap(([name, one]) => [
    [`h2: ${name}`, one, "", { gate: h2 }] as const,
    [`h1: ${name}`, one, "", { gate: h1 }] as const,
  ]),
];

const only = process.argv[2] ?? "";
for (const [name, one, setting, options, lasts = 0] of variants) {
  if (!name.includes(only)) continue;
  const cost = await costOf(name, one, setting, options, lasts);
  if (process.send) process.send(cost);
  else console.log(JSON.stringify(cost));
}
process.disconnect?.();
