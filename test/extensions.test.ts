import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type Disconnect, type Extension, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { type Attached, event, type Outage } from "../src/session/extension.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

// An extension may be anybody's. What it does wrong stays its own affair.

let clock: FakeClock;
let server: InMemoryServer;
let errors: unknown[];

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  errors = [];
});

function start(extension: Extension, options: SessionOptions = {}, transport: Transport = server.transport) {
  const reportError = (error: unknown) => errors.push(error);
  const session = createSession(transport, { clock, reportError, extensions: [extension], ...options });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

const defect = new Error("a defect of the extension");

function fail(): never {
  throw defect;
}

const defects: { readonly [name: string]: Attached } = {
  pause: { pause: fail },
  watch: { watch: fail },
  "the removal of watch": { watch: () => fail },
  recall: { recall: fail },
  stepped: { stepped: fail },
  turn: { turn: fail },
  refreshed: { refreshed: fail },
  restarted: { restarted: fail },
  closed: { closed: fail },
};

describe.each(Object.keys(defects))("an extension that throws in %s", (name) => {
  test("is reported, and its session does all that it does", async () => {
    const { session, chat, lines } = start(() => defects[name] ?? {}, { refresh: async () => {} });
    const first = collect(chat.subscribe({}));
    await clock.settle();
    server.streams[0]?.end(new ConnectError("down", Code.Unavailable));
    await clock.advance(30_000); // longer than tabs wait for their turn
    server.streams[1]?.send(1);
    await clock.settle();
    expect(first.messages).toHaveLength(1);
    server.streams[1]?.end(toConnectError({ reason: "kicked" }));
    expect(await first.end).toMatchObject({ code: Code.PermissionDenied });
    session.restart();
    const second = collect(chat.subscribe({}));
    await clock.settle();
    server.streams[2]?.end(new ConnectError("expired", Code.Unauthenticated));
    await clock.advance(30_000);
    server.streams[3]?.send(1);
    await clock.settle();
    session.close();
    expect(await second.end).toMatchObject({ code: Code.Canceled });
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual([
      "streamEnded: 1 stopped",
      "streamEnded: 2 canceled",
    ]);
    await clock.settle();
    expect(clock.sleepers).toBe(0);
    expect(server.live).toBe(0);
    expect(new Set(errors)).toEqual(new Set([defect]));
  });
});

test("an extension is told of each refresh that got new credentials, and of no other", async () => {
  const told: string[] = [];
  const answers = [undefined, true, false];
  const refresh = async () => {
    told.push("asked");
    return answers.shift();
  };
  const { chat } = start(() => ({ refreshed: () => told.push("told") }), { refresh });
  collect(chat.subscribe({}));
  for (let attempt = 0; attempt < 3; attempt++) {
    await clock.advance(5_000);
    server.streams[attempt]?.send(1);
    await clock.advance(20_000);
    server.streams[attempt]?.end(new ConnectError("expired", Code.Unauthenticated));
  }
  await clock.settle();
  expect(told).toEqual(["asked", "told", "asked", "told", "asked"]);
});

test("what an extension brings about in a step is told after that step", async () => {
  const { chat, lines } = start(({ announced }) => ({
    stepped: ({ input }) => input.type === "opened" && announced({ reason: "maintenance" }, undefined),
  }));
  const stream = collect(chat.subscribe({}));
  await clock.settle();
  server.streams[0]?.send(1);
  await clock.settle();
  server.streams[0]?.end();
  await stream.end;
  expect(lines.slice(0, 3)).toEqual(["connected", "streamOpened: 1", "notice: maintenance"]);
});

test("a stream ends with its session, closed when the stream hears of an outage from before", async () => {
  const disconnect: Disconnect = {
    ...{ reason: "maintenance", retryAt: undefined, reserved: undefined, message: "", localized: undefined },
    ...{ said: true, source: "detail", cause: undefined },
  };
  const outage: Outage = {
    ...{ downAt: 0, floorAt: 0, down: true, disconnect, attempts: 0, attemptsBefore: 0 },
    ...{ endings: 0, row: undefined, previousMs: 0, gaveUp: false, told: [] },
  };
  const { session, chat, lines } = start(() => ({
    recall: ({ bucket }, _, { now }, first) =>
      first
        ? {
            phase: { status: "waiting", outage, until: now + 60_000, refresh: false, refund: bucket },
            bucket,
            events: [event("reconnecting", { disconnect, attempt: 1, afterMs: 60_000, why: "an outage from before" })],
          }
        : undefined,
  }));
  session.on("reconnecting", () => session.close());
  expect(await collect(chat.subscribe({})).end).toMatchObject({ code: Code.Canceled });
  expect(lines).toEqual(["reconnecting: #1 in 60000 ms", "streamEnded: 1 canceled"]);
  expect(clock.sleepers).toBe(0);
});

test("a caller that cancels in the middle of an attempt of its own leaves no call", async () => {
  const caller = new AbortController();
  const signals: (AbortSignal | undefined)[] = [];
  const transport: Transport = {
    ...server.transport,
    stream(_, signal) {
      if (signals.push(signal) === 1) return Promise.reject(new ConnectError("down", Code.Unavailable));
      caller.abort(); // such as an interceptor may bring about
      return new Promise(() => {});
    },
  };
  const { chat } = start(() => ({}), {}, transport);
  const { end } = collect(chat.subscribe({}, { signal: caller.signal }));
  await clock.advance(750);
  expect(await end).toMatchObject({ code: Code.Canceled });
  expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
});
