import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient as createConnectClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import Polyfill, { AbortSignal as PolyfilledSignal } from "abort-controller";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChatService, MessageSchema } from "../examples/gen/chat/v1/chat_pb.js";
import { controlStream } from "../src/control-stream/index.js";
import { createClient, createSession, method, retried, type Session, type SessionOptions } from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

// React Native up to 0.85 has the AbortController of this package: no `reason`, no `throwIfAborted`, no `AbortSignal.any`.

let clock: FakeClock;
let server: InMemoryServer;
const sessions: Session[] = [];
const hangs = new Promise<never>(() => {});

beforeEach(() => {
  vi.stubGlobal("AbortController", Polyfill);
  vi.stubGlobal("AbortSignal", PolyfilledSignal);
  clock = createFakeClock();
  server = createInMemoryServer((router) => {
    router.rpc(ChatService.method.say, ({ text }) => (text === "slow" ? hangs : Promise.resolve({ id: 7 })));
  });
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.close();
  await clock.settle();
  vi.unstubAllGlobals();
  expect(clock.sleepers).toBe(0);
});

function start(options: SessionOptions = {}) {
  const session = createSession(server.transport, { clock, ...options });
  sessions.push(session);
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

const canceled = { code: Code.Canceled, rawMessage: "This operation was aborted" };
const down = () => new ConnectError("down", Code.Unavailable);

test("the globals are those of the polyfill", () => {
  const { signal } = new AbortController();
  for (const name of ["reason", "throwIfAborted"]) expect(name in signal).toBe(false);
  for (const name of ["any", "timeout", "abort"]) expect(name in AbortSignal).toBe(false);
});

test.each<[string, SessionOptions]>([
  ["as it is", {}],
  ["retried", { methods: [retried(ChatService.method.say)] }],
  ["beside a control stream", { extensions: [controlStream()] }],
])("a unary call, %s, is answered, and is canceled as with Connect", async (_, options) => {
  const { chat } = start(options);
  expect(await chat.say({})).toMatchObject({ id: 7 });
  for (const client of [createConnectClient(ChatService, server.transport), chat]) {
    const controller = new AbortController();
    const calling = client.say({ text: "slow" }, { signal: controller.signal });
    controller.abort();
    await expect(calling).rejects.toMatchObject(canceled);
    await expect(client.say({}, { signal: controller.signal })).rejects.toMatchObject(canceled);
  }
});

test.each<[string, SessionOptions]>([
  ["as it is", {}],
  ["beside a control stream", { extensions: [controlStream()] }],
])("a stream, %s, comes back after a loss, and is canceled as with Connect", async (_, options) => {
  const { chat, lines } = start(options);
  const controller = new AbortController();
  const { messages, end } = collect(chat.subscribe({}, { signal: controller.signal, timeoutMs: 600_000 }));
  await clock.settle();
  server.streams[0]?.send(1);
  server.streams[0]?.end(down());
  await clock.advance(20_000);
  server.streams[1]?.send(2);
  await clock.settle();
  expect(messages.map(({ id }) => id)).toEqual([1, 2]);
  controller.abort();
  expect(await end).toMatchObject(canceled);
  expect(await collect(chat.subscribe({}, { signal: controller.signal })).end).toMatchObject(canceled);
  expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual([
    "streamEnded: 1 canceled",
    "streamEnded: 2 canceled",
  ]);
});

test("break cancels, and close ends what is open", async () => {
  const { session, chat } = start();
  const reading = (async () => {
    for await (const _ of chat.subscribe({})) break;
  })();
  await clock.settle();
  server.streams[0]?.send(1);
  await reading;
  await clock.settle();
  expect(server.live).toBe(0);
  const { end } = collect(chat.subscribe({}));
  const calling = chat.say({ text: "slow" });
  session.close();
  expect(await end).toMatchObject({ code: Code.Canceled, rawMessage: "the session is closed" });
  await expect(calling).rejects.toMatchObject({ code: Code.Canceled, rawMessage: "the session is closed" });
});

test("time-outs lose what is silent", async () => {
  const { chat, lines } = start({
    headersTimeoutMs: 5_000,
    methods: [method(ChatService.method.subscribe, { idleTimeoutMs: 30_000 })],
  });
  collect(chat.subscribe({}));
  await clock.settle();
  server.streams[0]?.send(1);
  await clock.advance(30_000);
  expect(lines).toContain("network: no message for 30000 ms");
  await clock.advance(60_000);
  expect(server.streams.length).toBeGreaterThan(2); // the next ones got no headers
});

test("a real clock wakes, and is left by a signal", async () => {
  const { systemClock } = await import("../src/ports/clock.js");
  await systemClock.sleep(1, new AbortController().signal);
  const controller = new AbortController();
  const sleeping = systemClock.sleep(600_000, controller.signal).then(
    () => "woke",
    () => "left",
  );
  controller.abort();
  expect(await sleeping).toBe("left");
});

test("a stream over fetch gets its messages, and its cancel reaches fetch", async () => {
  const message = toBinary(MessageSchema, create(MessageSchema, { id: 1 }));
  const envelope = new Uint8Array([0, 0, 0, 0, message.length, ...message]);
  const signals: AbortSignal[] = [];
  const transport = createConnectTransport({
    baseUrl: "http://nowhere",
    useBinaryFormat: true,
    fetch: async (_, init) => {
      if (init?.signal) signals.push(init.signal);
      const body = new ReadableStream({ start: (stream) => stream.enqueue(envelope) });
      return new Response(body, { headers: { "content-type": "application/connect+proto" } });
    },
  });
  const session = createSession(transport, { clock });
  sessions.push(session);
  const controller = new AbortController();
  const iterator = createClient(ChatService, session)
    .subscribe({}, { signal: controller.signal })
    [Symbol.asyncIterator]();
  expect(await iterator.next()).toMatchObject({ done: false, value: { id: 1 } });
  const next = iterator.next();
  controller.abort();
  await expect(next).rejects.toMatchObject(canceled);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});
