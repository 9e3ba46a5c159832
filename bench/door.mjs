import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { createBouncer } from "farewell/server";
import { overHttp1, overHttp2 } from "./bare-client.mjs";
import { startBouncer } from "./bouncer-child.mjs";
import { ChatService } from "./chat.mjs";
import { answerOf } from "./child.mjs";
import { median, round } from "./figures.mjs";
import { heapUsed } from "./heap.mjs";
import { atLeast, atMost, context, main } from "./report.mjs";
import { compared, medianOf, ratios, takeTurns } from "./turns.mjs";

// A hostile client that ignores everything it is told and comes again at once. What refuses it takes turns: the bouncer
// at its door, and bare Connect handlers that throw; one of these twice, which shows the error to expect. All of them are
// in one process, apart from this one. Then the heap, while 10,000 users are refused 100,000 times.

const warmUps = 5;
const rounds = 16;
const roundMs = 80;
const atOnce = 32; // calls
const connections = 4;
const room = "count/1/0";

const transports = {
  "connect, HTTP/1.1": (server, house) => overHttp1(server.portOf(house, 1), "application/connect+proto", atOnce),
  "connect, HTTP/2": (server, house) => overHttp2(server.urlOf(house), "application/connect+proto", connections),
  "grpc, HTTP/2": (server, house) => overHttp2(server.urlOf(house), "application/grpc+proto", connections),
};

/** Whose calls go where. */
const ways = [
  { house: "throws toConnectError", user: "banned" },
  { house: "throws toConnectError", user: "banned" },
  { house: "throws a bare ConnectError", user: "banned" },
  { house: "bouncer", user: "banned" },
  { house: "bouncer", user: "guest" }, // is let in, and gets one message
];

/** So many calls, `atOnce` at a time; what the server's process spent on each. */
async function storm(server, { call, user }, calls) {
  const cpu = await server.ask("cpu");
  const start = performance.now();
  let left = calls;
  const lanes = Array.from({ length: atOnce }, async (_, lane) => {
    while (left-- > 0) await call(user, room, lane);
  });
  await Promise.all(lanes);
  const ms = performance.now() - start;
  return { perSecond: (calls / ms) * 1000, cpuUs: ((await server.ask("cpu")) - cpu) / calls };
}

async function refusals() {
  const server = await startBouncer();
  const rows = [];
  for (const [transport, clientOf] of Object.entries(transports)) {
    const callers = ways.map(({ house, user }) => ({ user, call: clientOf(server, house) }));
    let calls = 300;
    for (let turn = 0; turn < warmUps; turn++) {
      for (const caller of callers) {
        const { perSecond } = await storm(server, caller, calls);
        calls = Math.max(100, Math.round((perSecond * roundMs) / 1000));
      }
    }
    const taken = await takeTurns(callers, rounds, (caller) => storm(server, caller, calls));
    const [thrown, again, bare, bouncer, letIn] = taken;
    const what = `door, ${transport}`;
    const handlers = { "a handler throws toConnectError": thrown, "a handler throws a bare ConnectError": bare };
    for (const [name, refused] of Object.entries({ ...handlers, "the bouncer": bouncer })) {
      const cpu = `server's CPU ${round(medianOf(refused, "cpuUs"), 1)} µs each`;
      rows.push(context(`${what}: ${name}`, Math.round(medianOf(refused, "perSecond")), "refusals/s", cpu));
    }
    const against = (make, name, { perSecond, perCpu }, ...bar) => {
      const note = `${perCpu.spread}; refusals/s × ${perSecond.ratio}, ${perSecond.spread}`;
      rows.push(make(`${what}: refusals per CPU second, ${name}`, perCpu.ratio, ...bar, "×", note));
    };
    against(context, "toConnectError against itself", compared(again, thrown));
    against(atLeast, "the bouncer against toConnectError", compared(bouncer, thrown), 1);
    against(context, "the bouncer against a bare ConnectError", compared(bouncer, bare));
    const r = round(median(ratios(bouncer, letIn, "cpuUs")), 2);
    const note = "whose handler sends one message; no TLS, no database";
    rows.push(context(`${what}: CPU of a refusal`, r, "× of one who is let in", note));
  }
  await server.kill();
  return rows;
}

const users = 10_000;
const marks = [20_000, 60_000, 100_000];
const plenty = { burst: 1_000_000, perMs: 600_000 };
const none = { burst: 1, perMs: 600_000 };

/** Why each user is refused. */
const doors = {
  "each banned": { bans: true },
  "each over a rate limit": { bans: false, rateLimits: { perUser: none, perAddress: plenty } },
};

/** The heap after so many refusals. In memory: what sockets hold is Node's. */
async function heapsAt(door) {
  const { bans, rateLimits } = doors[door];
  const identify = ({ header }) => ({ user: header.get("x-user") });
  const addressOf = ({ header }) => header.get("x-address");
  const bouncer = createBouncer({ identify, addressOf, ...(rateLimits && { rateLimits }) });
  const subscribe = async function* () {
    yield { id: 1 };
  };
  const transport = createRouterTransport((router) => router.service(ChatService, { subscribe }), {
    router: { interceptors: [bouncer.interceptor] },
  });
  const client = createClient(ChatService, transport);
  if (bans) for (let user = 0; user < users; user++) await bouncer.ban({ user: `u${user}` }, { code: "spam" });
  const used = [];
  for (let call = 0, refused = 0; refused < marks.at(-1); call++) {
    const user = call % users;
    const headers = { "x-user": `u${user}`, "x-address": `10.0.${user >> 8}.${user & 255}` };
    try {
      for await (const _ of client.subscribe({ room: "" }, { headers }));
    } catch {
      refused++;
      if (marks.includes(refused)) used.push(await heapUsed());
    }
  }
  return used;
}

async function heapOf(door) {
  const child = fork(fileURLToPath(import.meta.url), ["heapsAt", door], { execArgv: ["--expose-gc"] });
  const [used] = await answerOf(child);
  const growth = round((used.at(-1) - used[0]) / (marks.at(-1) - marks[0]), 2);
  const note = `${used.map((bytes) => round(bytes / 1e6, 2)).join(", ")} MB at 20,000, 60,000 and 100,000`;
  // An object that is kept takes 16 bytes or more.
  return atMost(`door, heap growth from refusal 20,000 to 100,000, ${door}`, growth, 8, "bytes each", note);
}

export async function measure() {
  return [...(await refusals()), ...(await Promise.all(Object.keys(doors).map(heapOf)))];
}

const [, , task, door] = process.argv;
if (task === "heapsAt") process.send(await heapsAt(door), () => process.exit());
else await main(import.meta.url, measure);
