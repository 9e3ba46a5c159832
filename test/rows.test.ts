import { Code, ConnectError, type StreamResponse, type Transport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { type Attempt, createClient, createSession, method, type Session, type SessionOptions } from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

// When to give up: unhealthy endings in a row, of one kind, on a stream that was never healthy.

let clock: FakeClock;
let server: InMemoryServer;
let session: Session;

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
});

afterEach(async () => {
  session.close();
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(server.live).toBe(0);
});

function start(options: SessionOptions = {}) {
  session = createSession(server.transport, { clock, rateLimit: false, ...options });
  return { chat: createClient(ChatService, session), ...listen(session) };
}

const failed = (code: Code) => new ConnectError("failed", code);
const internal = () => failed(Code.Internal);
const unavailable = () => failed(Code.Unavailable);

/** Ends all that is open, and refuses what comes. */
function goDown(error: (attempt: number) => unknown): void {
  server.refuse = (_, attempt) => error(attempt);
  for (const [index, stream] of server.streams.entries()) if (!stream.over) stream.end(error(index));
}

/** A stream that has been open for a minute. */
async function healthyStream(chat: ReturnType<typeof start>["chat"]) {
  const stream = collect(chat.subscribe({}));
  await clock.settle();
  server.streams.at(-1)?.send(1);
  await clock.advance(60_000);
  return stream;
}

const minutes = 60_000;
const onceWhole = { aborted: { initialMs: 1_000, jitter: "none", maxAttempts: 2 } } as const;

describe("attempts in a row", () => {
  test("are those of one reason: where every fifth is Internal and the others Unavailable, nobody gives up", async () => {
    const { chat, lines } = start();
    goDown((attempt) => (attempt % 5 === 4 ? internal() : unavailable()));
    collect(chat.subscribe({}));
    for (let m = 0; m < 120 && server.streams.length < 60; m++) await clock.advance(1 * minutes);
    expect(server.streams.length).toBeGreaterThanOrEqual(60);
    server.refuse = undefined;
    await clock.advance(1 * minutes);
    expect(server.live).toBe(1);
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual([]);
  });

  test("are those of one reason, also where some may be for good and others not", async () => {
    let calls = 0;
    const stream = (...call: Parameters<Transport["stream"]>) => {
      if (calls++ % 2) throw new ConnectError("HTTP 404", Code.Unimplemented);
      return server.transport.stream(...call);
    };
    session = createSession({ ...server.transport, stream } as Transport, { clock, rateLimit: false });
    const { end } = collect(createClient(ChatService, session).subscribe({}));
    await clock.settle();
    server.streams[0]?.send(1);
    await clock.settle();
    goDown(internal);
    await clock.advance(60 * minutes);
    expect(calls).toBe(1 + 10);
    expect(await end).toBeInstanceOf(ConnectError);
  });

  test("are broken by a pause", async () => {
    let pause: "offline" | undefined;
    let look = () => {};
    const device: NonNullable<SessionOptions["extensions"]>[number] = (port) => {
      look = port.look;
      return { pause: () => pause };
    };
    const { chat } = start({ policies: onceWhole, extensions: [device] });
    goDown(internal);
    const { end } = collect(chat.subscribe({}));
    for (let round = 0; round < 5; round++) {
      await clock.advance(1_000); // two of three that would end it
      pause = "offline";
      look();
      await clock.advance(1_000);
      pause = undefined;
      look();
      await clock.advance(2_000);
    }
    const before = server.streams.length;
    expect(before).toBeGreaterThan(5);
    await clock.advance(10 * minutes);
    expect(server.streams.length).toBeGreaterThan(before);
    expect(await end).toMatchObject({ code: Code.Internal }); // and a whole row still ends it
  });

  test("are broken by a let-in, though it was short", async () => {
    const { chat } = start({ policies: onceWhole });
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    for (let round = 0; round < 10; round++) {
      const next = server.streams.length;
      server.streams.at(-1)?.send(1);
      await clock.settle();
      server.streams.at(-1)?.end(internal());
      for (let s = 0; s < 100 && server.streams.length === next; s++) await clock.advance(1_000);
    }
    expect(server.streams).toHaveLength(11);
    server.streams.at(-1)?.send(1);
    await clock.settle();
    goDown(internal);
    await clock.advance(10 * minutes);
    expect(await end).toMatchObject({ code: Code.Internal });
    expect(server.streams).toHaveLength(13);
  });

  test("are broken by headers that came late, where nothing follows them", async () => {
    let end: (error: unknown) => void = () => {};
    let calls = 0;
    const slow = async (method: StreamResponse["method"]) => {
      calls++;
      await clock.sleep(700, new AbortController().signal);
      async function* message() {
        yield await new Promise<never>((_, reject) => (end = reject));
      }
      const [header, trailer] = [new Headers({ "content-type": "application/connect+proto" }), new Headers()];
      return { stream: true, service: method.parent, method, header, trailer, message: message() };
    };
    let refreshes = 0;
    session = createSession(
      { ...server.transport, stream: slow as unknown as Transport["stream"] },
      { clock, rateLimit: false, refresh: async () => ++refreshes },
    );
    collect(createClient(ChatService, session).subscribe({}));
    for (let token = 1; token <= 5; token++) {
      for (let s = 0; s < 200 && calls < token; s++) await clock.advance(1_000);
      await clock.advance(5_000); // it is open, but not healthy yet
      end(new ConnectError("expired", Code.Unauthenticated, { a: "b" }));
      await clock.settle();
      expect([refreshes, session.state.status]).not.toContain("ended");
    }
  });

  test("need not be of one reason for the delay to grow", async () => {
    const policies = {
      network: { initialMs: 100, jitter: "none" },
      aborted: { initialMs: 100, jitter: "none" },
    } as const;
    const { chat, events } = start({ policies });
    goDown((attempt) => (attempt % 2 ? internal() : unavailable()));
    collect(chat.subscribe({}));
    await clock.advance(3_200);
    const delays = events.flatMap(([type, payload]) =>
      type === "reconnecting" ? [(payload as { afterMs: number }).afterMs] : [],
    );
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200]);
  });
});

describe("a stream that was healthy", () => {
  test("is one still after it has begun anew, because its position was refused", async () => {
    const entry = method(ChatService.method.subscribe, {
      resume: (request, { id }) => ({ ...request, afterId: id }),
      restart: () => true,
    });
    const { chat } = start({ methods: [entry] });
    await healthyStream(chat);
    goDown((attempt) => (attempt === 1 ? failed(Code.OutOfRange) : attempt === 0 ? unavailable() : internal()));
    await clock.advance(60 * minutes);
    server.refuse = undefined;
    await clock.advance(2 * minutes);
    expect(server.live).toBe(1);
  });

  test("may have been a silent one, that first had to wait for its server", async () => {
    const { chat } = start();
    server.refuse = unavailable;
    collect(chat.subscribe({}));
    await clock.settle();
    server.refuse = undefined;
    await clock.advance(60 * minutes);
    expect(server.live).toBe(1);
    goDown(internal);
    await clock.advance(60 * minutes);
    server.refuse = undefined;
    await clock.advance(2 * minutes);
    expect(server.live).toBe(1);
  });

  test.each([Code.Internal, Code.Unknown, Code.DeadlineExceeded])(
    "is not given up while a deploy answers %i for an hour, nor are those that wait with it",
    async (code) => {
      const { chat, lines } = start();
      for (let i = 0; i < 20; i++) await healthyStream(chat);
      goDown(() => failed(code));
      await clock.settle();
      collect(chat.subscribe({})); // a new one waits for the others, and is not given up before them
      await clock.advance(60 * minutes);
      expect(session.state.status).toMatch(/waiting|probing/);
      server.refuse = undefined;
      await clock.advance(2 * minutes);
      expect(server.live).toBe(21);
      expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual([]);
    },
  );

  test("is one still after a pause", async () => {
    let pause: "asleep" | undefined;
    let look = () => {};
    const { chat } = start({
      extensions: [
        (port) => {
          look = port.look;
          return { pause: () => pause };
        },
      ],
    });
    await healthyStream(chat);
    pause = "asleep";
    look();
    await clock.advance(60 * minutes);
    server.refuse = internal;
    pause = undefined;
    look();
    await clock.advance(60 * minutes);
    server.refuse = undefined;
    await clock.advance(2 * minutes);
    expect(server.live).toBe(1);
  });

  test("is given up where the app names a number of attempts", async () => {
    const { chat } = start({ policies: onceWhole });
    const { end } = await healthyStream(chat);
    goDown(internal);
    await clock.advance(10 * minutes);
    expect(await end).toMatchObject({ code: Code.Internal });
    expect(server.streams).toHaveLength(1 + 2);
  });

  test("is told to a policy function, with its place in the row and in the outage", async () => {
    const seen: Pick<Attempt, "number" | "ofOutage" | "wasHealthy">[] = [];
    const { chat } = start({
      policies: {
        network: { jitter: "none", initialMs: 1_000 },
        aborted: (_, { number, ofOutage, wasHealthy }) => {
          seen.push({ number, ofOutage, wasHealthy });
          return { action: "reconnect", afterMs: 1_000, why: "again" };
        },
      },
    });
    await healthyStream(chat);
    goDown((attempt) => (attempt === 0 ? unavailable() : internal()));
    await clock.advance(2_000);
    expect(seen).toEqual([
      { number: 1, ofOutage: 2, wasHealthy: true },
      { number: 2, ofOutage: 3, wasHealthy: true },
    ]);
  });
});

describe("a stream that was never healthy", () => {
  test("is given up after ten attempts that were aborted", async () => {
    const { chat, lines } = start();
    goDown(internal);
    const { end } = collect(chat.subscribe({}));
    await clock.advance(60 * minutes);
    expect(await end).toMatchObject({ code: Code.Internal });
    expect(server.streams).toHaveLength(1 + 10);
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(1);
  });

  test("is given up though another stream of the session is healthy", async () => {
    const { chat } = start();
    await healthyStream(chat);
    server.refuse = internal;
    const { end } = collect(chat.subscribe({}));
    await clock.advance(60 * minutes);
    expect(await end).toMatchObject({ code: Code.Internal });
    expect(server.live).toBe(1);
  });

  test("has not become healthy by waiting for its turn", async () => {
    const { chat } = start();
    goDown(unavailable);
    const waiting = collect(chat.subscribe({}));
    await clock.advance(30 * minutes);
    server.refuse = internal;
    await clock.advance(60 * minutes);
    expect(await waiting.end).toMatchObject({ code: Code.Internal });
  });
});
