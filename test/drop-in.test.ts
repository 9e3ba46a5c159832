import { Code, ConnectError, createClient as createConnectClient, type Transport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, retried } from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { createInMemoryServer, type InMemoryServer } from "./in-memory.js";

// Where an app, or its tests, leans on Connect's client and transport.

let clock: FakeClock;
let server: InMemoryServer;
const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer((router) => router.rpc(ChatService.method.say, () => ({})));
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  await new Promise((resolve) => setTimeout(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

/** What became of promises, in order. */
async function settled(promises: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => (result.status === "fulfilled" ? result.value : result.reason));
}

const done = { done: true, value: undefined };
const fatal = () => new ConnectError("no such room", Code.NotFound);

describe("of several next() that are pending when a stream fails, the first rejects and the others are done,", () => {
  const clients = {
    "as with Connect's own client": () => createConnectClient(ChatService, server.transport),
    "of our client": () => createClient(ChatService, createSession(server.transport, { clock })),
    "of Connect's client on a session": () =>
      createConnectClient(ChatService, createSession(server.transport, { clock })),
  };

  test.each(Object.entries(clients))("%s, after a message", async (_, clientOf) => {
    for (const options of [{}, { signal: new AbortController().signal, onTrailer: vi.fn() }]) {
      const iterator = clientOf().subscribe({}, options)[Symbol.asyncIterator]();
      const first = iterator.next();
      await clock.settle();
      server.streams.at(-1)?.send(1);
      expect(await first).toMatchObject({ done: false });
      const pending = [iterator.next(), iterator.next(), iterator.next()];
      await clock.settle();
      server.streams.at(-1)?.end(fatal());
      expect(await settled(pending)).toEqual([expect.objectContaining({ code: Code.NotFound }), done, done]);
      expect(await iterator.next()).toEqual(done);
      if (options.onTrailer) expect(options.onTrailer).not.toHaveBeenCalled();
    }
  });

  test.each(Object.entries(clients))("%s, before it is open", async (_, clientOf) => {
    const iterator = clientOf().subscribe({}, { signal: AbortSignal.abort() })[Symbol.asyncIterator]();
    const pending = [iterator.next(), iterator.next(), iterator.next()];
    expect(await settled(pending)).toEqual([expect.objectContaining({ code: Code.Canceled }), done, done]);
    expect(await iterator.next()).toEqual(done);
  });

  test.each(Object.entries(clients))("%s, whose second one nobody looks at", async (_, clientOf) => {
    const iterator = clientOf().subscribe({})[Symbol.asyncIterator]();
    const first = iterator.next();
    iterator.next();
    await clock.settle();
    server.streams.at(-1)?.end(fatal());
    await expect(first).rejects.toMatchObject({ code: Code.NotFound });
    await clock.settle(); // that nothing is unhandled is looked at after each test
  });

  test.each(Object.entries(clients))("%s, and a clean end makes all of them done", async (_, clientOf) => {
    const iterator = clientOf().subscribe({})[Symbol.asyncIterator]();
    const pending = [iterator.next(), iterator.next()];
    await clock.settle();
    server.streams.at(-1)?.end();
    expect(await settled(pending)).toEqual([done, done]);
  });
});

test("who wraps all methods of a client meets its methods alone", () => {
  const session = createSession(server.transport, { clock });
  const chat = createClient(ChatService, session);
  const methods = ["subscribe", "talk", "upload", "say"];
  const seen: string[] = [];
  for (const name in chat) seen.push(name);
  expect([Object.keys(chat), Object.entries(chat).map(([name]) => name), seen, Object.keys({ ...chat })]).toEqual([
    methods,
    methods,
    methods,
    methods,
  ]);
  expect(chat.$session).toBe(session);
  expect("$session" in chat).toBe(true);
});

describe("a mock", () => {
  test("that has unary calls alone is accepted", async () => {
    const unary = vi.fn(async (method: unknown) => ({
      ...{ stream: false, service: ChatService, method, header: new Headers(), trailer: new Headers() },
      message: { arrived: true },
    }));
    const chat = createClient(ChatService, { unary } as unknown as Transport);
    await chat.say({ text: "hello" });
    expect(unary).toHaveBeenCalledOnce();
    await expect(chat.subscribe({})[Symbol.asyncIterator]().next()).rejects.toThrow(TypeError);
  });

  test("that has streams alone is accepted", async () => {
    const { stream } = server.transport;
    const chat = createClient(ChatService, { stream } as unknown as Transport);
    await expect(chat.say({})).rejects.toThrow(TypeError);
    chat.$session.close();
  });

  test.each([undefined, null, {}, { unary: true }, "transport"])("%j is no transport, and is refused", (value) => {
    expect(() => createSession(value as never)).toThrow(/^transport: /);
  });
});

describe("a spied transport is called in the same tick", () => {
  test("for a unary call, with what the call was given", () => {
    const unary = vi.spyOn(server.transport, "unary");
    const headers = { "x-who": "ann" };
    createClient(ChatService, createSession(server.transport, { clock })).say({ text: "hello" }, { headers });
    expect(unary).toHaveBeenCalledOnce();
    const [method, , , header, message] = unary.mock.calls[0] ?? [];
    expect(method).toBe(ChatService.method.say);
    expect(new Headers(header).get("x-who")).toBe("ann");
    expect(message).toMatchObject({ text: "hello" });
  });

  test("for a retried call", () => {
    const unary = vi.spyOn(server.transport, "unary");
    const methods = [retried(ChatService.method.say)];
    createClient(ChatService, createSession(server.transport, { clock, methods })).say({});
    expect(unary).toHaveBeenCalledOnce();
  });

  test("for a stream", () => {
    const stream = vi.spyOn(server.transport, "stream");
    const session = createSession(server.transport, { clock });
    createClient(ChatService, session).subscribe({});
    createConnectClient(ChatService, session).subscribe({});
    expect(stream).toHaveBeenCalledTimes(2);
    session.close();
  });

  test("for a client stream", () => {
    const stream = vi.spyOn(server.transport, "stream");
    const session = createSession(server.transport, { clock });
    createClient(ChatService, session)
      .upload((async function* () {})())
      .catch(() => {});
    expect(stream).toHaveBeenCalledOnce();
    session.close();
  });
});
