import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { controlStream } from "../../src/control-stream/index.js";
import { ControlStreamService } from "../../src/gen/farewell/v1/control_stream_pb.js";
import { createClient, createSession, method, retried } from "../../src/index.js";
import { collect } from "../in-memory.js";
import { someOf } from "../runs.js";
import { pick, seeded } from "../seeded.js";
import { type Client, type ClientName, clients, linkTo } from "./clients.js";
import { leaveNothingUnhandled, patience } from "./leave-nothing.js";
import { disconnect, message, retryInfo, secondsOf, text } from "./rpc-details.js";
import type { End, Script } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { envelope } from "./status.js";
import { stepsOf } from "./steps.js";

// The same promise as in hostile-servers.test.ts, over real sockets: servers in bytes, of which each seed is another one. What
// went out is compared with the time that has passed, however long that was.

leaveNothingUnhandled();

const names = Object.keys(clients) as ClientName[];
const limit = { burst: 2, perMs: 100 };
const enough = 12;

type Random = () => number;

/** What a server may say: times that are none, reservations, alternating reasons, 10 kB labels. */
function status(random: Random): End {
  const seconds = pick(random, [-31_536_000, -1, 0, 1, 31_536_000]);
  const retry = message(1, secondsOf(seconds));
  const [code, number, fields] = pick(random, [
    [14, 5, Buffer.concat([retry, Uint8Array.of(0x10, 1)])], // maintenance, reserved
    [8, 6, Buffer.concat([retry, Uint8Array.of(0x10, 1)])], // throttled, reserved
    [14, 5, retry],
    [16, 4, new Uint8Array()],
    [13, 7, text(9, "\u001b".repeat(2_000))],
  ] as const);
  const details = random() < 0.7 ? [disconnect(number, fields)] : [retryInfo(seconds)];
  const metadata = { "grpc-retry-pushback-ms": pick(random, ["-1", "0", "NaN", "9".repeat(99)]), "retry-after": "0" };
  return { kind: "status", code, message: "later", details, ...(random() < 0.5 && { metadata }) };
}

/** A control stream's welcome: signs of life, and a window, of whatever length. Elsewhere it is a message. */
function welcome(random: Random): End {
  const span = () => secondsOf(pick(random, [-1, 0, 1, 31_536_000]));
  const terms = Buffer.concat([message(1, span()), message(2, span()), Uint8Array.of(0x18, random() < 0.5 ? 1 : 0)]);
  return { kind: "body", bytes: envelope(0, message(1, terms)) };
}

function script(random: Random): Script {
  const cut = pick<End>(random, [
    { kind: "rst", code: 2 },
    { kind: "rst", code: 8 },
    { kind: "fin" },
    { kind: "tcp-rst" },
    { kind: "clean-end" },
    { kind: "truncated" },
    { kind: "http", status: 503 },
    { kind: "goaway", code: 0, last: "none" },
  ]);
  const end = [...(random() < 0.4 ? [welcome(random)] : []), random() < 0.5 ? status(random) : cut];
  const at = pick(random, ["before-headers", "after-headers", "mid-stream"] as const);
  return { at, end: [...end, { kind: "fin" }] };
}

function scriptsFor(random: Random, { protocol, httpVersion }: Client): readonly Script[] {
  const playable = (given: Script) => {
    try {
      return stepsOf(given, protocol, httpVersion).length > 0;
    } catch {
      return false;
    }
  };
  return Array.from({ length: 400 }, () => script(random)).filter(playable);
}

/** What goes out to the server of a seed, until it is enough or the stream has ended, and how long that took. */
async function play(seed: number, client: Client) {
  const random = seeded(seed);
  const server = await startScriptedServer({ ...client, script: scriptsFor(random, client) });
  const out = { Subscribe: 0, Open: 0, Say: 0, refreshes: 0 };
  const count: Interceptor = (next) => (request) => {
    out[request.method.name as "Say"]++;
    return next(request);
  };
  const { transport, connection } = linkTo(server.url, client, { interceptors: [count] });
  const eager = { initialMs: 1, maxMs: 2, maxServerMs: 20, maxAttempts: null };
  const startedAt = performance.now();
  const session = createSession(transport, {
    ...{ rateLimit: limit, extensions: [controlStream()], reportError: () => {} },
    connection: { state: () => connection() ?? "open" },
    refresh: async () => {
      out.refreshes++;
      return { expiresAt: new Date(Date.now() + 1) };
    },
    methods: [
      method(ChatService.method.subscribe, { endless: true, idleTimeoutMs: 100 }),
      retried(ChatService.method.say),
    ],
    policies: { network: eager, aborted: eager, maintenance: eager, throttled: eager, unauthenticated: eager },
  });
  const chat = createClient(ChatService, session);
  let over = false;
  void collect(chat.subscribe({})).end.then(() => {
    over = true;
  });
  const call = chat.say({}).catch(() => {});
  await vi.waitFor(() => expect(over || out.Subscribe >= enough).toBe(true), patience);
  const passedMs = performance.now() - startedAt;
  session.close();
  await call;
  await server.close();
  return { out, passedMs };
}

test.each(names)(
  "hostile servers bring no session to call them more often than its rate limit allows: %s",
  async (name) => {
    let attempts = 0;
    const seeds = someOf(Array.from({ length: 10 }, (_, index) => index + 1));
    for (const seed of seeds) {
      const { out, passedMs } = await play(seed * 100 + names.indexOf(name), clients[name]);
      const refilled = (passedMs * limit.burst) / limit.perMs;
      const within = (calls: number, atOnce: number, perToken: number) => calls <= atOnce + perToken * refilled;
      const calls = { seed, ...out, passedMs };
      expect([calls, within(out.Subscribe, 1 + 2 * limit.burst, 1)]).toEqual([calls, true]); // with what is lent
      expect([calls, within(out.Open, limit.burst, 1)]).toEqual([calls, true]);
      expect([calls, within(out.refreshes, 1 + 3 * limit.burst, 2)]).toEqual([calls, true]);
      expect([calls, within(out.Say, 1 + 2 * limit.burst, 1)]).toEqual([calls, true]);
      attempts += out.Subscribe;
    }
    expect(attempts).toBeGreaterThan(3 * seeds.length); // what never went out says nothing
  },
  120_000,
);

test.each(["node h2 grpc", "node h1 connect"] as const)(
  "a control stream whose signs of life are to come at once is not called anew while messages flow: %s",
  async (name) => {
    let opened = 0;
    const routes = (router: ConnectRouter) => {
      router.rpc(ControlStreamService.method.open, async function* (_, { signal }) {
        opened++;
        yield { event: { case: "welcome" as const, value: { heartbeatInterval: {} } } };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      });
      router.rpc(ChatService.method.subscribe, async function* (_, { signal }) {
        for (let id = 1; !signal.aborted; id++) {
          yield { id };
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      });
    };
    const { httpVersion } = clients[name];
    const adapter = connectNodeAdapter({ routes });
    const server = httpVersion === "2" ? createHttp2Server(adapter) : createServer(adapter);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { transport } = linkTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, clients[name]);
    const session = createSession(transport, { extensions: [controlStream()] });
    const { messages } = collect(createClient(ChatService, session).subscribe({}));
    const startedAt = performance.now();
    await vi.waitFor(() => expect(messages.length).toBeGreaterThan(200), patience);
    const refilled = (performance.now() - startedAt) / 12_000;
    expect(opened).toBeGreaterThanOrEqual(1);
    expect(opened).toBeLessThanOrEqual(5 + refilled);
    session.close();
    server.close();
  },
);
