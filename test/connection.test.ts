import { getEventListeners } from "node:events";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ChatService, MessageSchema } from "../examples/gen/chat/v1/chat_pb.js";
import { controlStream } from "../src/control-stream/index.js";
import { createClient, createSession, disconnectOf, type Session, type SessionOptions } from "../src/index.js";
import type { ConnectionState } from "../src/ports/connection-state.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, listen } from "./in-memory.js";

// Where the app hands over its connection, a stream without headers does not outlive it.

interface HeldCall {
  readonly method: string;
  readonly signal: AbortSignal | undefined;
  answer(): void;
  fail(error: unknown): void;
}

let clock: FakeClock;
let session: Session;
let state: ConnectionState;
let looks: number;
let calls: HeldCall[];
const errors: unknown[] = [];

beforeEach(() => {
  clock = createFakeClock();
  state = "closed";
  looks = 0;
  calls = [];
});

afterEach(async () => {
  session.close();
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(errors.splice(0)).toEqual([]);
});

const connection = {
  state() {
    looks++;
    return state;
  },
};

/** Nothing is answered but by the test. */
const transport: Transport = {
  unary: (method) =>
    new Promise<never>((_, fail) => calls.push({ method: method.name, signal: undefined, answer() {}, fail })),
  stream: (method, signal) =>
    new Promise<never>((resolve, reject) => {
      let fail: (error: unknown) => void = reject;
      const failing = new Promise<never>((_, cut) => {
        fail = cut;
      });
      failing.catch(reject);
      async function* message() {
        if (method.name !== "Open") yield create(MessageSchema, { id: 1 });
        await failing;
      }
      const parts = { method, service: method.parent, header: new Headers(), trailer: new Headers() };
      const answer = () => resolve({ stream: true, ...parts, message: message() } as never);
      calls.push({ method: method.name, signal, answer, fail: (error) => fail(error) });
    }),
};

function start(options: SessionOptions = {}) {
  session = createSession(transport, {
    ...{ clock, connection, rateLimit: false, reportError: (error: unknown) => errors.push(error) },
    policies: { network: { initialMs: 1_000, jitter: "none" } },
    ...options,
  });
  return { chat: createClient(ChatService, session), ...listen(session) };
}

const lost = "disconnected: network";

test("a stream without headers is lost within a second of its connection, and opened again", async () => {
  const { chat, lines, events } = start();
  collect(chat.subscribe({}));
  await clock.settle();
  state = "open";
  await clock.advance(3_600_000); // it may be a quiet one
  expect(lines).toEqual([]);
  state = "closed";
  await clock.advance(1_000);
  expect(lines.slice(0, 2)).toEqual(["streamLost: 1 network", lost]);
  expect(events[1]?.[1]).toMatchObject({
    disconnect: { reason: "network", said: false, message: "the connection was lost before the response began" },
  });
  expect(calls[0]?.signal?.aborted).toBe(true);
  await clock.advance(1_000);
  expect(calls).toHaveLength(2);
});

test.each(["closed", "error"] as const)(
  "the end of a connection that lived for a moment is noticed, too: %s",
  async (end) => {
    const { chat, lines } = start();
    collect(chat.subscribe({}));
    await clock.settle();
    state = "open";
    await clock.advance(150);
    state = end;
    await clock.advance(1_000);
    expect(lines).toContain(lost);
  },
);

test("a bidi stream that is not reopened ends with an error", async () => {
  const { chat } = start();
  const { end } = collect(chat.talk((async function* () {})()));
  await clock.settle();
  state = "open";
  await clock.advance(1_000);
  state = "closed";
  await clock.advance(1_000);
  const error = await end;
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect(disconnectOf(error)).toMatchObject({ reason: "network" });
});

test("a stream that is not on its way yet, for an interceptor takes its time, is none of a connection that has closed", async () => {
  const { chat, lines } = start();
  collect(chat.subscribe({}));
  for (const next of ["closed", "idle", "closed", "connecting", "closed"] as const) {
    state = next;
    await clock.advance(5_000);
  }
  expect(lines).toEqual([]);
  expect(calls).toHaveLength(1);
});

test("nobody looks, and no timer is there, unless a stream has no answer", async () => {
  const { chat } = start();
  collect(chat.subscribe({}));
  collect(chat.subscribe({}));
  await clock.settle();
  expect(clock.sleepers).toBe(1); // for both
  state = "open";
  await clock.advance(5_000);
  expect(looks).toBe(5);
  for (const call of calls) call.answer();
  await clock.advance(20_000);
  looks = 0;
  expect(clock.sleepers).toBe(0);
  await clock.advance(60_000);
  expect(looks).toBe(0);
  state = "closed";
  await clock.advance(60_000);
  expect(session.state.status).toBe("healthy"); // who is open is told by the transport
});

test("a stream that is left before it has an answer leaves no timer", async () => {
  const { chat } = start();
  const caller = new AbortController();
  const { end } = collect(chat.subscribe({}, { signal: caller.signal }));
  await clock.settle();
  expect(clock.sleepers).toBe(1);
  caller.abort();
  await end;
  await clock.settle();
  expect(clock.sleepers).toBe(0);
});

test("a stream that fails with its connection takes those with it that have no answer, at once", async () => {
  const { chat, lines } = start();
  collect(chat.subscribe({}));
  collect(chat.subscribe({}));
  await clock.settle();
  calls[0]?.answer();
  state = "open";
  await clock.advance(1_000);
  state = "closed";
  calls[0]?.fail(new ConnectError("http/2 stream closed with error code CANCEL (0x8)", Code.Canceled));
  await clock.settle();
  state = "open"; // a unary call has opened a new one
  await clock.advance(900);
  expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual([
    "streamLost: 1 network",
    "streamLost: 2 network",
  ]);
});

test("so does a control stream", async () => {
  const { chat, lines } = start({ extensions: [controlStream()] });
  collect(chat.subscribe({}));
  await clock.advance(1_000); // it does not wait for the welcome any longer
  expect(calls.map(({ method }) => method)).toEqual(["Open", "Subscribe"]);
  state = "open";
  await clock.advance(1_000);
  calls[0]?.answer();
  await clock.settle();
  state = "closed";
  calls[0]?.fail(new ConnectError("read ECONNRESET", Code.Aborted));
  await clock.settle();
  expect(lines).toContain(lost);
});

test.each(["closed", "verifying"] as const)(
  "a unary call that was sent before its connection was %s is left alone: nothing would send one again that was not lost",
  async (end) => {
    const { chat, lines } = start();
    let failed = false;
    chat.say({}).catch(() => {
      failed = true;
    });
    await clock.settle();
    state = "open";
    await clock.advance(5_000);
    state = end;
    await clock.advance(3_600_000);
    expect([failed, lines]).toEqual([false, []]);
  },
);

const stuck = 'the connection has been "verifying" for 60 s: no call gets through';

test("calls that have ended leave nothing on a signal that the app keeps", async () => {
  const { chat } = start();
  const { signal } = new AbortController();
  for (let count = 0; count < 3; count++) {
    const said = chat.say({}, { signal }).catch(() => {});
    await clock.settle();
    calls[count]?.fail(new ConnectError("no", Code.InvalidArgument));
    await said;
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a stream whose connection is verified without end is lost after a minute, and says why", async () => {
  const { chat, lines, events } = start();
  collect(chat.subscribe({}));
  await clock.settle();
  state = "verifying";
  await clock.advance(60_000);
  expect(lines).toEqual([]);
  await clock.advance(1_100);
  expect(lines.slice(0, 2)).toEqual(["streamLost: 1 network", lost]);
  expect(events[1]?.[1]).toMatchObject({ disconnect: { reason: "network", said: false, message: stuck } });
  await clock.advance(1_000);
  expect(session.state).toMatchObject({ outage: { down: true, disconnect: { message: stuck } } });
});

test("where a watchdog only loops, since its connection is verified without end, the session says so", async () => {
  const { chat, events } = start({ headersTimeoutMs: 5_000 });
  collect(chat.subscribe({}));
  await clock.settle();
  state = "verifying";
  await clock.advance(70_000);
  const said = () => events.flatMap(([type, told]) => (type === "streamLost" ? [told] : []));
  expect(said()[0]).toMatchObject({ disconnect: { message: "no response within 5000 ms" } });
  expect(said().at(-1)).toMatchObject({ disconnect: { message: stuck } });
});

test("a unary call that waits for a connection to be verified without end fails after a minute", async () => {
  const { chat } = start();
  const sent = chat.say({}).catch((error: unknown) => error);
  await clock.settle();
  state = "verifying";
  await clock.advance(61_100);
  expect(await sent).toEqual(new ConnectError(stuck, Code.Unavailable));
});

test("a connection that is verified now and then is not stuck", async () => {
  const { chat, lines } = start();
  collect(chat.subscribe({}));
  await clock.settle();
  for (let round = 0; round < 10; round++) {
    state = "verifying";
    await clock.advance(50_000);
    state = "open";
    await clock.advance(1_000);
  }
  expect(lines).toEqual([]);
});

test("a state that cannot be told is reported, and nobody is lost for it", async () => {
  const { chat, lines } = start({
    connection: {
      state() {
        throw new Error("no state");
      },
    },
  });
  collect(chat.subscribe({}));
  await clock.advance(1_100);
  expect(errors.splice(0)).toEqual([new Error("no state"), new Error("no state")]);
  expect(lines).toEqual([]);
});

test("a transport that knows its connection is asked, and not watched: it ends what is lost by itself", async () => {
  session = createSession({ ...transport, connection } as Transport, { clock, rateLimit: false });
  const chat = createClient(ChatService, session);
  const { lines } = listen(session);
  collect(chat.subscribe({}));
  await clock.settle();
  expect([clock.sleepers, looks]).toEqual([0, 0]);
  calls[0]?.answer();
  await clock.settle();
  state = "closed";
  calls[0]?.fail(new ConnectError("http/2 stream closed with error code CANCEL (0x8)", Code.Canceled));
  await clock.settle();
  expect(looks).toBe(1);
  expect(lines).toContain(lost);
});

test("without a connection nobody looks", async () => {
  session = createSession(transport, { clock });
  const chat = createClient(ChatService, session);
  const { lines } = listen(session);
  collect(chat.subscribe({}));
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  await clock.advance(60_000);
  expect(lines).toEqual([]);
});
