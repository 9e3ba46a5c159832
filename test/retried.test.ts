import { create, createFileRegistry, type DescMethodUnary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
  MethodOptions_IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createContextKey,
  createContextValues,
  createRouterTransport,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService, type SayRequest, SayRequestSchema } from "../examples/gen/chat/v1/chat_pb.js";
import {
  createClient,
  createSession,
  disconnectOf,
  type Extension,
  method,
  type Pause,
  type Policies,
  retried,
  retriedIdempotent,
  type SessionOptions,
} from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

/** A call that reached the server. */
interface Said {
  readonly at: number;
  readonly text: string;
  readonly header: Headers;
}

const said: Said[] = [];
const errors: unknown[] = [];
let clock: FakeClock;
let server: InMemoryServer;
let startedAt: number;
/** What the next calls are answered with, one after the other; after that they succeed. */
let failures: (() => unknown)[];

beforeEach(() => {
  clock = createFakeClock();
  startedAt = clock.now();
  failures = [];
  said.length = 0;
  errors.length = 0;
  server = createInMemoryServer((router) => {
    router.rpc(ChatService.method.say, async ({ text }, { requestHeader }) => {
      said.push({ at: clock.now() - startedAt, text, header: requestHeader });
      const failure = failures.shift()?.();
      if (failure !== undefined) throw await failure;
      return { id: said.length };
    });
  });
});

afterEach(async () => {
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(server.live).toBe(0);
  expect(errors).toEqual([]);
});

const say = retried(ChatService.method.say);

function start(options: SessionOptions = {}, transport: Transport = server.transport) {
  const session = createSession(transport, {
    clock,
    methods: [say],
    reportError: (error) => errors.push(error),
    ...options,
  });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

const unavailable = () => new ConnectError("down", Code.Unavailable);
const backIn30s = () => toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + 30_000) }, clock.now());
const times = (count: number, failure: () => unknown) => Array.from({ length: count }, () => failure);
const never = () => new Promise<never>(() => {});

/** When the attempts reached the server, in ms. */
const ats = () => said.map(({ at }) => at);

/** What it comes to: the id, or the error. */
const outcomeOf = (call: Promise<{ readonly id: number }>) =>
  call.then(
    ({ id }) => id,
    (error: unknown) => error,
  );

describe("a call that an app lets be retried", () => {
  test("is sent once where nothing is lost, and is no news for anybody", async () => {
    const { session, chat, lines } = start();
    expect(await chat.say({ text: "hello" })).toMatchObject({ id: 1 });
    expect(session.state.status).toBe("idle");
    expect(lines).toEqual([]);
    session.close();
  });

  test("waits by the policy of the reason, and tells what an outage tells", async () => {
    failures = times(2, unavailable);
    const { session, chat, lines } = start();
    const outcome = outcomeOf(chat.say({ text: "hello" }));
    await clock.advance(60_000);
    expect(await outcome).toBe(3);
    expect(ats()).toEqual([0, 750, 750 + 1_500]);
    expect(lines).toEqual([
      "streamLost: 1 network",
      "disconnected: network",
      "network: down",
      "reconnecting: #1 in 750 ms",
      "streamLost: 1 network",
      "reconnecting: #2 in 1500 ms",
      "connected",
      "streamOpened: 1",
      "streamEnded: 1 complete",
    ]);
    expect(session.state.status).toBe("idle");
    session.close();
  });

  test("goes by the app's own policy, and throws what it threw where that is to stop", async () => {
    failures = times(9, unavailable);
    const policies: Policies = { network: { initialMs: 10, jitter: "none", factor: 1, maxAttempts: 2 } };
    const { session, chat, lines } = start({ policies });
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(60_000);
    expect(ats()).toEqual([0, 10, 20]);
    expect(disconnectOf(await outcome)).toMatchObject({ reason: "network", message: "down" });
    expect(lines.at(-1)).toBe("streamEnded: 1 stopped");
    session.close();
  });

  test("is not retried for a reason whose policy is to stop", async () => {
    failures = times(9, unavailable);
    const { session, chat, lines } = start({ policies: { network: "stop" } });
    expect(await outcomeOf(chat.say({}))).toMatchObject({ rawMessage: "down" });
    expect(said).toHaveLength(1);
    expect(lines).toEqual([]);
    session.close();
  });

  test("does not go out before a time that the server gave", async () => {
    failures = [backIn30s];
    const { session, chat } = start();
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(29_999);
    session.retry();
    await clock.advance(0);
    expect(said).toHaveLength(1);
    await clock.advance(30_000);
    expect(await outcome).toBe(2);
    session.close();
  });

  test("stays within the session's rate limit, together with the streams of the same outage", async () => {
    failures = times(1_000, unavailable);
    const { session, chat } = start({
      rateLimit: { burst: 2, perMs: 60_000 },
      policies: { network: { initialMs: 1, maxMs: 1, jitter: "none" } },
    });
    const streams = [collect(chat.subscribe({})), collect(chat.subscribe({}))];
    await clock.settle();
    server.refuse = unavailable;
    for (const stream of server.streams) stream.end(unavailable());
    await clock.settle();
    const calls = [outcomeOf(chat.say({})), outcomeOf(chat.say({})), outcomeOf(chat.say({}))];
    await clock.advance(600_000);
    const probes = said.length + server.streams.length - 2;
    expect(probes).toBeLessThanOrEqual(2 + 600_000 / 30_000);
    expect(probes).toBeGreaterThan(600_000 / 30_000);
    server.refuse = undefined;
    failures = [];
    await clock.advance(60_000);
    for (const call of calls) expect(await call).toBeGreaterThan(0);
    session.close();
    await Promise.all(streams.map(({ end }) => end));
  });

  test("waits in the same queue as the streams: one probes for all", async () => {
    const { session, chat, lines } = start();
    const stream = collect(chat.subscribe({}));
    failures = [unavailable, never];
    await clock.settle();
    const first = outcomeOf(chat.say({ text: "first" }));
    server.streams[0]?.end(unavailable());
    server.refuse = unavailable;
    await clock.settle();
    const second = outcomeOf(chat.say({ text: "second" })); // waits at once
    await clock.advance(749);
    expect([said.length, server.streams.length]).toEqual([1, 1]);
    await clock.advance(1);
    expect(said.length + server.streams.length).toBe(3); // the one that was lost first
    server.refuse = undefined;
    failures = [];
    await clock.advance(60_000);
    expect(said.map(({ text }) => text)).toContain("second");
    expect(lines.filter((line) => line.startsWith("disconnected"))).toHaveLength(1);
    expect(await second).toBeGreaterThan(0);
    session.close();
    await Promise.all([stream.end, first]);
  });

  test("that comes while the session waits, waits with it", async () => {
    const { session, chat, lines } = start();
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    server.streams[0]?.end(backIn30s());
    await clock.settle();
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(30_000);
    expect(said).toEqual([]);
    expect(session.state.status).toBe("waiting");
    await clock.advance(10_000);
    expect(await outcome).toBe(1);
    expect(lines.slice(-2)).toEqual(["streamOpened: 2", "streamEnded: 2 complete"]);
    session.close();
    await stream.end;
  });

  test("probes for the streams where it is the first, and leaves their gap as it is", async () => {
    const resumable = method(ChatService.method.subscribe, {
      resume: (request, { id }) => ({ ...request, afterId: id }),
    });
    const { session, chat, lines } = start({ methods: [say, resumable] });
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    server.streams[0]?.send(1);
    failures = [unavailable];
    await clock.settle();
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.streams[0]?.end(unavailable());
    await clock.advance(750);
    expect(await outcome).toBe(2);
    expect(server.streams).toHaveLength(2);
    expect(lines.slice(-3)).toEqual([
      "reconnected: after 1, gap resumed",
      "streamOpened: 2",
      "streamEnded: 2 complete",
    ]);
    session.close();
    await stream.end;
  });

  test("has its timeoutMs for all its attempts, and each gets what is left", async () => {
    failures = times(9, unavailable);
    const { session, chat } = start({ policies: { network: { initialMs: 400, factor: 1, jitter: "none" } } });
    const outcome = outcomeOf(chat.say({}, { timeoutMs: 1_000 }));
    await clock.advance(999);
    expect(said.map(({ header }) => header.get("connect-timeout-ms"))).toEqual(["1000", "600", "200"]);
    await clock.advance(1);
    expect(await outcome).toMatchObject({ code: Code.DeadlineExceeded });
    session.close();
  });

  test("is not retried where the server found its time to be up", async () => {
    failures = [() => new ConnectError("too late", Code.DeadlineExceeded)];
    const { session, chat } = start();
    expect(await outcomeOf(chat.say({}, { timeoutMs: 1_000 }))).toMatchObject({ rawMessage: "too late" });
    expect(said).toHaveLength(1);
    session.close();
  });

  test("is made with the request and the headers as they were at the call", async () => {
    failures = times(2, unavailable);
    const { session, chat } = start();
    const request = create(SayRequestSchema, { text: "first" });
    const headers = new Headers({ "x-tab": "1" });
    const outcome = outcomeOf(chat.say(request, { headers }));
    request.text = "changed";
    headers.set("x-tab", "2");
    await clock.advance(60_000);
    expect(await outcome).toBe(3);
    expect(said.map(({ text }) => text)).toEqual(["first", "first", "first"]);
    expect(said.map(({ header }) => header.get("x-tab"))).toEqual(["1", "1", "1"]);
    session.close();
  });

  test("is made anew for interceptors, which may change what they get and bring new credentials", async () => {
    const key = createContextKey("", { description: "who" });
    let attempt = 0;
    const change: Interceptor = (next) => (call) => {
      if (!call.stream) (call.message as SayRequest).text += `${++attempt}${call.contextValues.get(key)}`;
      call.header.append("authorization", `token ${attempt}`);
      return next(call);
    };
    failures = [() => new ConnectError("who?", Code.Unauthenticated)];
    const texts: string[] = [];
    const transport = createRouterTransport(
      ({ rpc }) => {
        rpc(ChatService.method.say, ({ text }, { requestHeader }) => {
          texts.push(`${text} ${requestHeader.get("authorization")}`);
          const failure = failures.shift()?.();
          if (failure !== undefined) throw failure;
          return { id: 7 };
        });
      },
      { transport: { interceptors: [change] } },
    );
    let refreshes = 0;
    const { session, chat } = start({ refresh: async () => ++refreshes }, transport);
    const contextValues = createContextValues().set(key, "!");
    const outcome = outcomeOf(chat.say({ text: "a" }, { contextValues }));
    await clock.advance(60_000);
    expect(await outcome).toBe(7);
    expect(refreshes).toBe(1);
    expect(texts).toEqual(["a1! token 1", "a2! token 2"]);
    session.close();
  });

  test("is ended by a verdict while it waits, with the error of all others", async () => {
    failures = [unavailable];
    const { session, chat } = start();
    const stream = collect(chat.subscribe({}));
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.streams[0]?.end(toConnectError({ reason: "kicked", message: "out" }));
    const error = await stream.end;
    expect(error).toMatchObject({ rawMessage: "out" });
    expect(await outcome).toBe(error);
    expect(await outcomeOf(chat.say({}))).toBe(error);
    await clock.advance(600_000);
    expect(said).toHaveLength(1);
    session.close();
  });

  test("ends the session by a verdict of its own, also as the probe of all", async () => {
    failures = [unavailable, () => toConnectError({ reason: "kicked", message: "out" })];
    const { session, chat, lines } = start();
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.streams[0]?.end(unavailable());
    await clock.advance(60_000);
    const error = await outcome;
    expect(error).toMatchObject({ rawMessage: "out" });
    expect(await stream.end).toBe(error);
    expect(lines).toContain("streamEnded: 2 stopped");
    expect(session.state).toMatchObject({ status: "ended", disconnect: { reason: "kicked" } });
    session.close();
  });

  test("that is under way at a verdict still gets its answer, and is not retried without one", async () => {
    let answer = (_: unknown) => {};
    failures = [() => new Promise((resolve) => (answer = resolve))];
    const { session, chat } = start();
    const stream = collect(chat.subscribe({}));
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.streams[0]?.end(toConnectError({ reason: "kicked", message: "out" }));
    await stream.end;
    answer(unavailable());
    expect(await outcome).toBe(await stream.end);
    await clock.advance(60_000);
    expect(said).toHaveLength(1);
    session.close();
  });

  test("of the login before is not repeated in the next one", async () => {
    let answer = (_: unknown) => {};
    failures = [() => new Promise((resolve) => (answer = resolve))];
    const { session, chat, lines } = start();
    const stream = collect(chat.subscribe({}));
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.streams[0]?.end(toConnectError({ reason: "kicked", message: "out" }));
    await stream.end;
    session.restart();
    answer(unavailable());
    expect(await outcome).toMatchObject({ rawMessage: "down" });
    expect(lines.filter((line) => line.startsWith("disconnected"))).toHaveLength(1); // the kick's
    expect(await chat.say({})).toMatchObject({ id: 2 });
    session.close();
  });

  test("is ended by its caller: under way, while it waits, and before it began", async () => {
    failures = [never, unavailable];
    const { session, chat } = start();
    const [first, second] = [new AbortController(), new AbortController()];
    const underway = outcomeOf(chat.say({}, { signal: first.signal }));
    await clock.settle();
    first.abort();
    expect(await underway).toMatchObject({ code: Code.Canceled });
    const waiting = outcomeOf(chat.say({}, { signal: second.signal }));
    await clock.settle();
    second.abort("enough");
    expect(await waiting).toMatchObject({ code: Code.Canceled, message: "[canceled] enough" });
    expect(await outcomeOf(chat.say({}, { signal: second.signal }))).toMatchObject({ code: Code.Canceled });
    await clock.advance(60_000);
    expect(said).toHaveLength(2);
    session.close();
  });

  test("is ended by the session's close: under way, and while it waits", async () => {
    failures = [never, unavailable];
    const { session, chat } = start();
    const outcomes = [outcomeOf(chat.say({})), outcomeOf(chat.say({}))];
    await clock.settle();
    session.close();
    for (const outcome of outcomes) expect(await outcome).toMatchObject({ rawMessage: "the session is closed" });
  });

  test("gets its answer also where a listener closes the session at it", async () => {
    failures = [unavailable];
    const { session, chat } = start();
    session.on("connected", () => session.close());
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(60_000);
    expect(await outcome).toBe(2);
    expect(session.state.status).toBe("closed");
  });

  test("goes out once more after a pause: what was under way is given up", async () => {
    let why: Pause | undefined;
    let look = () => {};
    const page: Extension = (port) => {
      look = port.look;
      return { pause: () => why };
    };
    failures = [unavailable, never];
    const { session, chat, lines } = start({ extensions: [page] });
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(750);
    expect(said).toHaveLength(2);
    why = "offline";
    look();
    await clock.advance(60_000);
    expect(said).toHaveLength(2);
    expect(session.state.status).toBe("paused");
    const another = outcomeOf(chat.say({}));
    await clock.advance(60_000);
    expect(said).toHaveLength(2);
    why = undefined;
    look();
    await clock.advance(60_000);
    expect(await outcome).toBe(3);
    expect(await another).toBe(4);
    expect(lines.filter((line) => line.startsWith("disconnected"))).toHaveLength(1);
    session.close();
  });

  test("that fails while the page is offline waits until it is not, though no stream waits", async () => {
    let why: Pause | undefined = "offline";
    let look = () => {};
    const page: Extension = (port) => {
      look = port.look;
      return { pause: () => why };
    };
    failures = [unavailable];
    const { session, chat } = start({ extensions: [page] });
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(60_000);
    expect(session.state.status).toBe("paused");
    expect(said).toHaveLength(1);
    why = undefined;
    look();
    await clock.advance(10_000);
    expect(await outcome).toBe(2);
    session.close();
  });

  test("waits for the turn of its tab", async () => {
    let take = () => {};
    const tabs: Extension = () => ({ turn: () => new Promise<void>((resolve) => (take = resolve)) });
    failures = [unavailable];
    const { session, chat } = start({ extensions: [tabs] });
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(5_000);
    expect(said).toHaveLength(1);
    take();
    await clock.settle();
    expect(await outcome).toBe(2);
    session.close();
  });

  test("is made maxAttempts times at most; the others of the outage wait on", async () => {
    failures = times(9, unavailable);
    const { session, chat } = start({ methods: [retried(ChatService.method.say, { maxAttempts: 3 })] });
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.refuse = unavailable;
    server.streams[0]?.end(unavailable());
    await clock.advance(120_000);
    expect(await outcome).toMatchObject({ rawMessage: "down" });
    expect(said).toHaveLength(3);
    server.refuse = undefined;
    await clock.advance(120_000);
    expect(session.state.status).toBe("healthy");
    session.close();
    await stream.end;
  });

  test("with maxAttempts: 1 is a call like any other", async () => {
    failures = times(9, unavailable);
    const { session, chat, lines } = start({ methods: [retried(ChatService.method.say, { maxAttempts: 1 })] });
    expect(await outcomeOf(chat.say({}))).toMatchObject({ rawMessage: "down" });
    expect(lines).toEqual([]);
    session.close();
  });

  test("is given up where no answer came in headersTimeoutMs", async () => {
    failures = [never];
    const { session, chat, lines } = start({ headersTimeoutMs: 5_000 });
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(60_000);
    expect(await outcome).toBe(2);
    expect(lines).toContain("network: no response within 5000 ms");
    session.close();
  });

  test("does not hold the others for ever where it hangs as the probe of all", async () => {
    failures = [unavailable, never];
    const { session, chat } = start();
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.streams[0]?.end(unavailable());
    await clock.advance(60_000);
    expect(server.streams).toHaveLength(2);
    session.close();
    expect(await outcome).toMatchObject({ code: Code.Canceled });
    await stream.end;
  });
});

describe("what is not a disconnect", () => {
  test.each([
    ["an error of the application", new ConnectError("no such room", Code.NotFound)],
    ["a bug's TypeError", new TypeError("cannot read properties of undefined")],
    ["an Error", new Error("bug")],
    ["what is no error at all", "bug"],
  ])("%s is thrown at once, untouched", async (_, error) => {
    let calls = 0;
    const transport: Transport = {
      ...server.transport,
      unary: async () => {
        calls++;
        throw error;
      },
    };
    const { session, chat, lines } = start({}, transport);
    expect(await outcomeOf(chat.say({}))).toBe(error);
    expect(calls).toBe(1);
    expect(lines).toEqual([]);
    session.close();
  });

  test("ends a call that waited, and shows the others that the path is open", async () => {
    const error = new ConnectError("no such room", Code.NotFound);
    failures = [unavailable, () => error];
    const { session, chat, lines } = start();
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    server.streams[0]?.end(unavailable());
    await clock.advance(750);
    expect(await outcome).toMatchObject({ rawMessage: "no such room" });
    expect(server.streams).toHaveLength(2);
    expect(lines).toContain("streamEnded: 2 failed");
    session.close();
    await stream.end;
  });

  test("a bare status that ends is the call's answer, and not the session's end", async () => {
    const signedOut = () => new ConnectError("who?", Code.Unauthenticated);
    failures = [signedOut, unavailable, signedOut];
    const { session, chat } = start();
    expect(await outcomeOf(chat.say({}))).toMatchObject({ code: Code.Unauthenticated });
    const outcome = outcomeOf(chat.say({}));
    await clock.advance(60_000);
    expect(await outcome).toMatchObject({ code: Code.Unauthenticated });
    expect(said).toHaveLength(3);
    expect(session.state.status).toBe("idle");
    session.close();
  });
});

test("a loss that p-retry would take for a bug is retried all the same, and not without a wait", async () => {
  let attempts = 0;
  const transport: Transport = {
    ...server.transport,
    unary: (...call) => {
      if (++attempts > 3) return server.transport.unary(...call);
      return Promise.reject(new TypeError("connection closed")); // known to classify, unknown to is-network-error
    },
  };
  const { session, chat } = start({ policies: { network: { initialMs: 100, factor: 1, jitter: "none" } } }, transport);
  const outcome = outcomeOf(chat.say({}));
  await clock.advance(299);
  expect(attempts).toBe(3);
  await clock.advance(1);
  expect(await outcome).toBe(1);
  session.close();
});

describe("which calls are retried", () => {
  /** A service with a method of each idempotency_level. */
  function libraryMethods(): { readonly [name: string]: DescMethodUnary } {
    const { IDEMPOTENCY_UNKNOWN, IDEMPOTENT, NO_SIDE_EFFECTS } = MethodOptions_IdempotencyLevel;
    const rpc = (name: string, idempotencyLevel: MethodOptions_IdempotencyLevel) => ({
      name,
      inputType: ".google.protobuf.StringValue",
      outputType: ".google.protobuf.StringValue",
      options: { idempotencyLevel },
    });
    const file = create(FileDescriptorProtoSchema, {
      name: "library.proto",
      package: "library.v1",
      syntax: "proto3",
      dependency: ["google/protobuf/wrappers.proto"],
      service: [
        {
          name: "LibraryService",
          method: [rpc("Find", NO_SIDE_EFFECTS), rpc("Put", IDEMPOTENT), rpc("Borrow", IDEMPOTENCY_UNKNOWN)],
        },
      ],
    });
    const registry = createFileRegistry(file, () => file_google_protobuf_wrappers);
    return (registry.getService("library.v1.LibraryService")?.method ?? {}) as { [name: string]: DescMethodUnary };
  }

  /** How often each method of the library was called, where the first call of each is lost. */
  async function callsWith(methods: (library: ReturnType<typeof libraryMethods>) => SessionOptions["methods"]) {
    const library = libraryMethods();
    const calls: { [name: string]: number } = {};
    const transport: Transport = {
      ...server.transport,
      unary: async ({ name }) => {
        calls[name] = (calls[name] ?? 0) + 1;
        throw calls[name] === 1 ? unavailable() : new ConnectError("seen twice", Code.NotFound);
      },
    };
    for (const each of Object.values(library)) {
      const { session } = start({ methods: methods(library) ?? [] }, transport);
      const outcome = session.unary(each, undefined, undefined, undefined, {}).catch(() => {});
      await clock.advance(60_000);
      await outcome;
      session.close();
    }
    return calls;
  }

  test("retriedIdempotent: those that the proto says may be", async () => {
    expect(await callsWith(() => [retriedIdempotent()])).toEqual({ Find: 2, Put: 2, Borrow: 1 });
  });

  test("a method's own entry counts before that, wherever it stands", async () => {
    const calls = await callsWith(({ find, borrow }) => [
      retriedIdempotent(),
      ...(find && borrow ? [retried(find, { maxAttempts: 1 }), retried(borrow)] : []),
    ]);
    expect(calls).toEqual({ Find: 1, Put: 2, Borrow: 2 });
  });

  test("none without an entry", async () => {
    expect(await callsWith(() => [])).toEqual({ Find: 1, Put: 1, Borrow: 1 });
  });
});
