import { createClient as createConnectClient } from "@connectrpc/connect";
import { createClient, createSession, method } from "farewell";
import { ChatService } from "./chat.mjs";
import { startServer } from "./child.mjs";
import { median, quantile, round } from "./figures.mjs";
import { linkTo, protocols } from "./links.mjs";
import { atLeast, context, main } from "./report.mjs";
import { takeTurns } from "./turns.mjs";

// Messages per second of a wrapped stream against the raw one. Raw and wrapped take turns on one connection within
// each round, in an order that is shuffled, and only the ratios within a round count: what slows the machine slows both.
// The raw stream takes two turns: their mean is what the others are held against, their ratio is the error to expect.
// "served": connect-node answers, in a process of its own. "flood": the bytes were encoded before, so that the client
// is all that limits, and every nanosecond of the wrapper shows: it is the worst case that can be built.

const warmUps = 5;
const rounds = 40;
const roundMs = 60;
const bar = 0.97;
const sizes = { small: 0, "1 kB": 1000 };

/** The raw client, and the ways to wrap it. */
function clientsOf(transport) {
  const followed = method(ChatService.method.subscribe, {
    position: (message) => message.id,
    resume: (request, last) => ({ ...request, afterId: last.id }),
    idleTimeoutMs: 30_000,
  });
  return {
    raw: createConnectClient(ChatService, transport),
    "raw again": createConnectClient(ChatService, transport),
    "Connect's createClient": createConnectClient(ChatService, createSession(transport)),
    createClient: createClient(ChatService, createSession(transport)),
    "createClient, with a signal": withSignal(createClient(ChatService, createSession(transport))),
    "createClient, position + resume + idleTimeoutMs": createClient(
      ChatService,
      createSession(transport, { methods: [followed] }),
    ),
  };
}

function withSignal(client) {
  const { signal } = new AbortController();
  return { subscribe: (request) => client.subscribe(request, { signal }) };
}

/** Reads `messages` to the end. Also the processor time of this process: that of the server is not in it. */
async function read(client, messages, bytes) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  let read = 0;
  for await (const _ of client.subscribe({ room: `count/${messages}/${bytes}` })) read++;
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  if (read !== messages) throw new Error(`${read} messages of ${messages}`);
  return { perSecond: (messages / ms) * 1000, cpuUs: (user + system) / messages };
}

async function compare(url, protocol, bytes) {
  const clients = Object.entries(clientsOf(linkTo(url, protocol).transport));
  const raw = clients[0][1];
  for (let turn = 0; turn < warmUps; turn++) await read(raw, 5_000, bytes);
  const { perSecond } = await read(raw, 5_000, bytes);
  const messages = Math.max(1_000, Math.round((perSecond * roundMs) / 1000));
  for (let turn = 0; turn < warmUps; turn++) for (const [, client] of clients) await read(client, messages, bytes);
  const taken = await takeTurns(clients, rounds, ([, client]) => read(client, messages, bytes));
  const rawMean = (turn, what) => (taken[0][turn][what] + taken[1][turn][what]) / 2;
  return clients.map(([name], index) => ({
    name,
    perSecond: median(taken[index].map((one) => one.perSecond)),
    cpuUs: median(taken[index].map((one) => one.cpuUs)),
    ratios: taken[index].map(
      ({ perSecond }, turn) => perSecond / (index === 1 ? taken[0][turn].perSecond : rawMean(turn, "perSecond")),
    ),
    cpuRatios: taken[index].map(
      ({ cpuUs }, turn) => cpuUs / (index === 1 ? taken[0][turn].cpuUs : rawMean(turn, "cpuUs")),
    ),
  }));
}

export async function measure() {
  const server = await startServer();
  const rows = [];
  for (const [kind, url] of Object.entries({ served: server.url, flood: server.floodUrl })) {
    for (const protocol of protocols) {
      for (const [size, bytes] of Object.entries(sizes)) {
        const [raw, ...wrapped] = await compare(url, protocol, bytes);
        const what = `${kind}, ${protocol}, ${size}`;
        rows.push(
          context(`${what}: raw`, Math.round(raw.perSecond), "messages/s", `${round(raw.cpuUs, 2)} µs CPU each`),
        );
        for (const { name, ratios, cpuRatios } of wrapped) {
          const spread = `quartiles ${[0.25, 0.75].map((q) => round(quantile(ratios, q), 3)).join("–")}`;
          const note = `${spread}; CPU × ${round(median(cpuRatios), 3)}`;
          const ratio = [`${what}: ${name}`, round(median(ratios), 3)];
          rows.push(name === "raw again" ? context(...ratio, "× raw", note) : atLeast(...ratio, bar, "× raw", note));
        }
      }
    }
  }
  await server.kill();
  return rows;
}

await main(import.meta.url, measure);
