import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService, type TalkRequest } from "../examples/gen/chat/v1/chat_pb.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { classify, createClient, createSession, method, type SessionOptions } from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

// What must hold when the other side of an interface breaks its contract, or takes it at its word: the app's
// functions, its input and headers, the transport, and the server's metadata.

let clock: FakeClock;
let server: InMemoryServer;
let errors: unknown[];

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  errors = [];
});

afterEach(async () => {
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(server.live).toBe(0);
});

function start(options: SessionOptions = {}, transport = server.transport) {
  const session = createSession(transport, { clock, reportError: (error) => errors.push(error), ...options });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

const unavailable = () => new ConnectError("down", Code.Unavailable);

function served(n: number) {
  const stream = server.streams[n];
  if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
  return stream;
}

/** Never answers, not even to an abort. */
function createDeafTransport(): Transport & { readonly signals: readonly (AbortSignal | undefined)[] } {
  const signals: (AbortSignal | undefined)[] = [];
  return {
    signals,
    unary: () => new Promise<never>(() => {}),
    stream: (_method, signal) => {
      signals.push(signal);
      return new Promise<never>(() => {});
    },
  };
}

describe("the watchdog for silence", () => {
  const watched = method(ChatService.method.subscribe, { idleTimeoutMs: 30_000, position: (message) => message.id });
  const lost = (lines: readonly string[]) => lines.filter((line) => line.startsWith("streamLost"));

  test("hears a message that is dropped as a duplicate, such as a heartbeat that repeats the position", async () => {
    const { session, chat, lines } = start({ methods: [watched] });
    collect(chat.subscribe({}));
    await clock.settle();
    for (let beat = 0; beat < 6; beat++) {
      served(0).send(1);
      await clock.advance(20_000);
    }
    expect(lost(lines)).toEqual([]);
    await clock.advance(10_000);
    expect(lost(lines)).toEqual(["streamLost: 1 network"]);
    session.close();
  });

  test("watches an attempt that gets no headers, too", async () => {
    const deaf = createDeafTransport();
    const { session, chat, lines } = start({ methods: [watched] }, deaf);
    collect(chat.subscribe({}));
    await clock.advance(29_999);
    expect(lines).toEqual([]);
    await clock.advance(1);
    expect(lines).toContain("network: no message for 30000 ms");
    await clock.advance(750);
    expect(deaf.signals.map((signal) => signal?.aborted)).toEqual([true, false]);
    session.close();
  });

  test("is not put off by a caller that asks again while it waits", async () => {
    const { session, chat, lines } = start({ methods: [watched] });
    const iterator = chat.subscribe({})[Symbol.asyncIterator]();
    const first = iterator.next();
    await clock.settle();
    served(0).send(1);
    await first;
    for (let asked = 0; asked < 4; asked++) {
      iterator.next().catch(() => {});
      await clock.advance(10_000);
    }
    expect(lost(lines)).toEqual(["streamLost: 1 network"]);
    session.close();
  });
});

describe("a transport", () => {
  test("that never answers leaves no timer behind when the session is closed", async () => {
    const { session, chat } = start({ headersTimeoutMs: 60_000 }, createDeafTransport());
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    session.close();
    expect(await end).toMatchObject({ code: Code.Canceled });
    await clock.settle();
    expect(clock.sleepers).toBe(0);
  });

  test("that throws instead of answering ends the stream with what it threw, and leaves no timer behind", async () => {
    const broken = new Error("not a promise");
    const throwing: Transport = {
      ...server.transport,
      stream: () => {
        throw broken;
      },
    };
    const { chat, lines } = start({ headersTimeoutMs: 60_000 }, throwing);
    expect(await collect(chat.subscribe({})).end).toBe(broken);
    expect(lines).toEqual(["streamEnded: 1 failed"]);
    await clock.settle();
    expect(clock.sleepers).toBe(0);
  });

  test("whose connection cannot tell its state is followed without, and the error is reported", async () => {
    const broken = new Error("no state");
    const state = () => {
      throw broken;
    };
    const { session, chat, lines } = start({ connection: { state } });
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(750);
    expect(lines).toContain("network: down");
    expect(server.streams).toHaveLength(2);
    expect(errors).toEqual([broken]);
    session.close();
  });
});

describe("the app", () => {
  test("whose onHeader throws gets that error, and its call is canceled", async () => {
    const { chat, lines } = start();
    const broken = new Error("not these headers");
    const onHeader = () => {
      throw broken;
    };
    const { end } = collect(chat.subscribe({}, { onHeader }));
    await clock.settle();
    served(0).send(1);
    expect(await end).toBe(broken);
    await clock.settle();
    expect(server.live).toBe(0);
    expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
  });

  test("whose input answers return and throw without a promise does not keep the session from closing", async () => {
    server = createInMemoryServer((router) =>
      router.rpc(ChatService.method.talk, async function* () {
        yield {};
        await new Promise(() => {});
      }),
    );
    const { session, chat, lines } = start();
    const told: string[] = [];
    const answer = (name: string) => () => {
      told.push(name);
      return { done: true, value: undefined } as never;
    };
    const input: AsyncIterable<TalkRequest> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: answer("return"),
        throw: answer("throw"),
      }),
    };
    collect(chat.talk(input));
    collect(chat.subscribe({}));
    await clock.settle();
    session.close();
    expect(lines.slice(-2)).toEqual(["streamEnded: 1 canceled", "streamEnded: 2 canceled"]);
    expect(told).toEqual(["throw", "return"]);
  });

  test("whose error report throws is followed all the same, and no rejection is left unhandled", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    const reportError = (error: unknown) => {
      errors.push(error);
      throw error;
    };
    const { session, chat } = start({ reportError });
    const broken = new Error("listener");
    session.onNetwork(() => {
      throw broken;
    });
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(750);
    process.off("unhandledRejection", note);
    expect(errors).toEqual([broken]);
    expect(unhandled).toEqual([]);
    expect(server.streams).toHaveLength(2);
    session.close();
  });

  test("whose headers can be read only once sends them with every attempt", async () => {
    const { session, chat } = start();
    const headers = new Map([["room-key", "secret"]]).entries() as unknown as HeadersInit; // HeadersInit takes iterables
    collect(chat.subscribe({}, { headers }));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(750);
    const keys = server.streams.map(({ context }) => context.requestHeader.get("room-key"));
    expect(keys).toEqual(["secret", "secret"]);
    session.close();
  });
});

describe("metadata", () => {
  test("that an app's mapping hands on as it is cannot replace the reason", () => {
    const info = { domain: "app", reason: "PAUSED", metadata: { reason: "banned" } };
    const error = new ConnectError("paused", Code.PermissionDenied, { a: "b" }, [
      { desc: ErrorInfoSchema, value: info },
    ]);
    const fields = (metadata: { readonly [key: string]: string }) => metadata as never;
    const named = classify({ error }, { reasons: { app: { PAUSED: { reason: "maintenance", fields } } } });
    expect(named).toMatchObject({ reason: "maintenance", said: true, source: "detail" });
  });

  // Longer than any HTTP date: neither searched nor parsed, both of which take long on a long text.
  test.each([
    ["is a date with 100,000 blanks in it", `Tue, 01 Jan 2030${" ".repeat(100_000)}00:01:00 GMT`],
    ["is a date with a comment of 100,000 characters", `Tue, 01 Jan 2030 00:01:00 GMT (${"x".repeat(100_000)})`],
  ])("with a retry-after that %s says as much as none", (_, retryAfter) => {
    const metadata = { "content-type": "application/grpc" };
    const classified = (more: { readonly [name: string]: string }) => {
      const error = new ConnectError("down", Code.Unavailable, { ...metadata, ...more });
      return { ...classify({ error }, { now: clock.now() }), cause: undefined };
    };
    expect(classified({ "retry-after": retryAfter })).toEqual(classified({}));
    expect(classified({ "retry-after": "Tue, 01 Jan 2030 00:01:00 GMT" })).toMatchObject({
      reason: "maintenance",
      retryAt: new Date("2030-01-01T00:01:00Z"),
    });
  });
});
