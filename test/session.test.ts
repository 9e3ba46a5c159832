import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, disconnectOf, method, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, cutting, type InMemoryServer, listen } from "./in-memory.js";

let clock: FakeClock;
let server: InMemoryServer;
const errors: unknown[] = [];

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  errors.length = 0;
});

afterEach(async () => {
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(server.live).toBe(0);
});

const resumable = method(ChatService.method.subscribe, {
  endless: true,
  resume: (request, last) => ({ ...request, afterId: last.id }),
  position: (message) => message.id,
});

function start(options: SessionOptions = {}, transport = server.transport) {
  const session = createSession(transport, { clock, reportError: (error) => errors.push(error), ...options });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

const unavailable = () => new ConnectError("down", Code.Unavailable);

/** The `n`th subscription that reached the server. */
function served(n: number) {
  const stream = server.streams[n];
  if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
  return stream;
}

describe("a stream that is lost", () => {
  test("goes on after its backoff, in the same loop, from where it stopped", async () => {
    const { session, chat, lines } = start({ methods: [resumable] });
    const { messages } = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).send(1);
    served(0).send(2);
    served(0).end(unavailable());
    await clock.advance(749);
    expect(server.streams).toHaveLength(1);
    await clock.advance(1);
    expect(served(1).request).toMatchObject({ room: "lobby", afterId: 2 });
    served(1).send(3);
    await clock.settle();
    expect(messages.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(lines).toEqual([
      "connected",
      "streamOpened: 1",
      "streamLost: 1 network",
      "disconnected: network",
      "network: down",
      "reconnecting: #1 in 750 ms",
      "reconnected: after 1, gap resumed",
      "streamReopened: 1 gap resumed",
    ]);
    session.close();
  });

  test("is reopened with its own request where no resume is given, and says that the gap is unknown", async () => {
    const { session, chat, lines } = start();
    const { messages } = collect(chat.subscribe({ room: "lobby", afterId: 7 }));
    await clock.settle();
    served(0).send(8);
    served(0).end(unavailable());
    await clock.advance(1_000);
    expect(served(1).request).toMatchObject({ room: "lobby", afterId: 7 });
    served(1).send(8);
    await clock.settle();
    expect(messages.map(({ id }) => id)).toEqual([8, 8]);
    expect(lines).toContain("reconnected: after 1, gap unknown");
    session.close();
  });

  test("is resumed by its first request if it was lost before the first message", async () => {
    const { session, chat } = start({ methods: [resumable] });
    collect(chat.subscribe({ room: "lobby", afterId: 7 }));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(1_000);
    expect(served(1).request).toMatchObject({ afterId: 7 });
    session.close();
  });

  test("drops what it has seen and reports what it missed", async () => {
    const { session, chat, lines } = start({ methods: [resumable] });
    const { messages } = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).send(1);
    served(0).send(2);
    served(0).end(unavailable());
    await clock.advance(1_000);
    for (const id of [1, 2, 5, 6]) served(1).send(id);
    await clock.settle();
    expect(messages.map(({ id }) => id)).toEqual([1, 2, 5, 6]);
    expect(lines.filter((line) => line.startsWith("streamGap"))).toEqual(["streamGap: 1 missed 2"]);
    session.close();
  });

  test("reports no gap where its positions had holes before", async () => {
    const { session, chat, lines } = start({ methods: [resumable] });
    collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).send(1);
    served(0).send(4);
    served(0).end(unavailable());
    await clock.advance(1_000);
    served(1).send(9);
    await clock.settle();
    expect(lines.filter((line) => line.startsWith("streamGap"))).toEqual([]);
    session.close();
  });

  test("throws an application error at once, the very one that Connect threw", async () => {
    const { chat, lines } = start();
    const { end } = collect(chat.subscribe({ room: "nowhere" }));
    await clock.settle();
    served(0).end(new ConnectError("no such room", Code.NotFound));
    const error = await end;
    expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "no such room" });
    expect(disconnectOf(error)).toBeUndefined();
    expect(lines).toEqual(["connected", "streamOpened: 1", "streamEnded: 1 failed"]);
  });

  test("is complete when it ends cleanly, unless its method is endless", async () => {
    const plain = start();
    const first = collect(plain.chat.subscribe({}));
    await clock.settle();
    served(0).send(1);
    served(0).end();
    expect(await first.end).toBeUndefined();
    expect(plain.lines.at(-1)).toBe("streamEnded: 1 complete");

    const endless = start({ methods: [resumable] });
    collect(endless.chat.subscribe({}));
    await clock.settle();
    served(1).end();
    await clock.settle();
    expect(endless.lines).toContain("aborted: the stream ended without a reason");
    endless.session.close();
  });

  test("that is finite is reopened only before its first message", async () => {
    const { chat, lines } = start({ methods: [method(ChatService.method.subscribe, { finite: true })] });
    const { messages, end } = collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(1_000);
    served(1).send(1);
    served(1).end(unavailable());
    expect(await end).toMatchObject({ code: Code.Unavailable });
    expect(messages).toHaveLength(1);
    expect(lines.at(-1)).toBe("streamEnded: 1 stopped");
    await clock.advance(100_000);
    expect(server.streams).toHaveLength(2);
  });

  test("is followed from its very first attempt", async () => {
    server.refuse = () => unavailable();
    const { session, chat, lines } = start();
    const { messages } = collect(chat.subscribe({}));
    await clock.advance(5_000);
    server.refuse = undefined;
    await clock.advance(30_000);
    server.streams.at(-1)?.send(1);
    await clock.settle();
    expect(messages).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith("disconnected"))).toHaveLength(1);
    session.close();
  });

  test("gives up after a bounded number of unhealthy attempts in a row, with the last error", async () => {
    server.refuse = () => new ConnectError("handler bug", Code.Internal);
    const { session, chat, events } = start({ rateLimit: false, policies: { aborted: { maxAttempts: 3 } } });
    const { end } = collect(chat.subscribe({}));
    await clock.advance(600_000);
    expect(await end).toMatchObject({ code: Code.Internal });
    expect(server.streams).toHaveLength(4);
    expect(events.at(-1)).toMatchObject([
      "streamEnded",
      { outcome: "stopped", why: "aborted: gave up after 3 unhealthy attempts in a row" },
    ]);
    session.close();
  });

  test("counts its attempts anew only after it was healthy, not when it opens or gets a message", async () => {
    const { session, chat, lines } = start({ rateLimit: false, methods: [resumable] });
    collect(chat.subscribe({}));
    await clock.settle();
    for (let attempt = 0; attempt < 4; attempt++) {
      served(attempt).send(attempt + 1);
      await clock.advance(5_000); // open for a while, but not for 10 s
      served(attempt).end(unavailable());
      await clock.advance(30_000);
    }
    const waits = () => lines.filter((line) => line.startsWith("reconnecting"));
    expect(waits()).toEqual([
      "reconnecting: #1 in 750 ms",
      "reconnecting: #2 in 1500 ms",
      "reconnecting: #3 in 3000 ms",
      "reconnecting: #4 in 6000 ms",
    ]);
    session.close();
  });
});

describe("a verdict", () => {
  test("ends every stream with the error that Connect threw, and later calls with the same one and no traffic", async () => {
    const { session, chat, lines } = start();
    const streams = [1, 2, 3].map((room) => collect(chat.subscribe({ room: String(room) })));
    await clock.settle();
    served(1).end(toConnectError({ reason: "banned", until: new Date("2031-01-01"), message: "Cheating" }));
    const ends = await Promise.all(streams.map(({ end }) => end));
    expect(new Set(ends).size).toBe(1);
    expect(disconnectOf(ends[0])).toMatchObject({ reason: "banned", said: true, source: "detail" });
    expect(session.state.status).toBe("ended");
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(3);
    expect(lines.filter((line) => line.startsWith("banned"))).toEqual(["banned: Cheating"]);
    expect(await collect(chat.subscribe({})).end).toBe(ends[0]);
    await expect(chat.say({ text: "hello" })).rejects.toBe(ends[0]);
    await clock.advance(3_600_000);
    expect(server.streams).toHaveLength(3);
    session.restart();
    collect(chat.subscribe({}));
    await clock.settle();
    expect(server.streams).toHaveLength(4);
    session.close();
  });

  test("at the door counts as one in the middle: the session ends, and those that wait with it", async () => {
    const { chat, session, lines } = start();
    const streams = [1, 2, 3].map(() => collect(chat.subscribe({})));
    await clock.settle();
    server.refuse = () => toConnectError({ reason: "kicked", code: "afk" });
    for (const stream of server.streams) stream.end(unavailable());
    await clock.advance(60_000);
    for (const { end } of streams) expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", code: "afk" });
    expect(server.streams).toHaveLength(4);
    expect(lines.filter((line) => line.startsWith("ended"))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith("reconnected"))).toEqual([]);
    session.close();
  });

  test("on a unary call ends the session too; a bare status does not", async () => {
    server = createInMemoryServer((router) =>
      router.rpc(ChatService.method.say, ({ text }) => {
        throw text === "bad" ? toConnectError({ reason: "banned" }) : new ConnectError("no", Code.Unauthenticated);
      }),
    );
    const { chat, session } = start();
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    await expect(chat.say({ text: "password" })).rejects.toMatchObject({ code: Code.Unauthenticated });
    expect(session.state.status).toBe("connecting");
    const error = await chat.say({ text: "bad" }).catch((error) => error);
    expect(disconnectOf(error)?.reason).toBe("banned");
    expect(await end).toBe(error);
    await expect(chat.say({ text: "again" })).rejects.toBe(error);
  });

  test("is never concluded from a bare abort, unless the app says what an abort means", async () => {
    const abort = () => new ConnectError("stream reset", Code.Internal);
    const plain = start();
    collect(plain.chat.subscribe({}));
    await clock.settle();
    served(0).end(abort());
    await clock.settle();
    expect(plain.lines).toContain("aborted: stream reset");
    plain.session.close();

    const told = start({ abortedMeans: "kicked" }, cutting(server.transport));
    const { end } = collect(told.chat.subscribe({}));
    await clock.settle();
    served(1).end(abort());
    expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", said: false, code: undefined });
  });
});

describe("an outage", () => {
  test("of twenty streams makes the attempts and the events of one", async () => {
    const count = async (streams: number) => {
      server = createInMemoryServer();
      const { session, chat, lines } = start({ methods: [resumable] });
      for (let i = 0; i < streams; i++) collect(chat.subscribe({}));
      await clock.settle();
      server.refuse = () => unavailable();
      for (const stream of server.streams) stream.end(unavailable());
      await clock.advance(60_000);
      const attempts = server.streams.length - streams;
      server.refuse = undefined;
      await clock.advance(30_000);
      expect(server.live).toBe(streams);
      session.close();
      await clock.settle();
      const told = lines.filter((line) => !line.startsWith("stream"));
      return { attempts, told };
    };
    const one = await count(1);
    const twenty = await count(20);
    expect(one.attempts).toBeGreaterThan(3);
    expect(twenty).toEqual(one);
  });

  test("is over for all once one is let in: the others follow within a second", async () => {
    const { session, chat, lines } = start();
    for (let i = 0; i < 20; i++) collect(chat.subscribe({}));
    await clock.settle();
    for (const stream of server.streams) stream.end(unavailable());
    await clock.advance(750);
    expect(server.streams).toHaveLength(21);
    served(20).send(1); // the first message lets the others in at once
    await clock.advance(1);
    expect(server.live).toBe(20);
    for (const stream of server.streams.slice(21)) stream.send(1);
    await clock.settle();
    expect(lines.filter((line) => line.startsWith("streamReopened"))).toHaveLength(20);
    expect(lines.filter((line) => line.startsWith("reconnected"))).toHaveLength(1);
    session.close();
  });

  test("is over for all, too, when the server lets one in and says nothing", async () => {
    const { session, chat } = start();
    for (let i = 0; i < 20; i++) collect(chat.subscribe({}));
    await clock.settle();
    for (const stream of server.streams) stream.end(unavailable());
    await clock.advance(750 + 499);
    expect(server.live).toBe(1);
    await clock.advance(1);
    expect(server.live).toBe(20);
    session.close();
  });

  test("is not over when the door opens only to refuse", async () => {
    const { session, chat, lines } = start({ rateLimit: false });
    for (let i = 0; i < 20; i++) collect(chat.subscribe({}));
    await clock.settle();
    server.refuse = () => toConnectError({ reason: "maintenance", message: "Deploy" }, clock.now());
    for (const stream of server.streams) stream.end(unavailable());
    await clock.advance(750 + 5_000 + 10_000);
    expect(server.streams).toHaveLength(20 + 3);
    expect(lines.filter((line) => line.startsWith("maintenance"))).toEqual(["maintenance: Deploy"]);
    session.close();
  });

  test("probes with the next stream when the prober is canceled", async () => {
    const { session, chat } = start();
    const cancel = new AbortController();
    const first = collect(chat.subscribe({ room: "a" }, { signal: cancel.signal }));
    collect(chat.subscribe({ room: "b" }));
    await clock.settle();
    server.streams[0]?.end(unavailable());
    server.streams[1]?.end(unavailable());
    await clock.advance(750);
    expect(served(2).request.room).toBe("a");
    cancel.abort();
    await clock.advance(1);
    expect(served(3).request.room).toBe("b");
    expect(await first.end).toMatchObject({ code: Code.Canceled });
    session.close();
  });

  test("wakes for nobody when all streams that waited have left", async () => {
    const { session, chat } = start();
    const cancel = new AbortController();
    collect(chat.subscribe({ room: "a" }, { signal: cancel.signal }));
    await clock.settle();
    served(0).end(unavailable());
    await clock.settle();
    expect(clock.sleepers).toBe(1);
    cancel.abort();
    await clock.settle();
    expect(clock.sleepers).toBe(0);
    session.close();
  });

  test("lets a new caller try at once when all that waited have left, within the rate limit", async () => {
    const { session, chat } = start({ policies: { network: { initialMs: 60_000, maxMs: 60_000, jitter: "none" } } });
    server.refuse = () => unavailable();
    for (let i = 0; i < 10; i++) {
      const cancel = new AbortController();
      collect(chat.subscribe({}, { signal: cancel.signal }));
      await clock.advance(2);
      cancel.abort();
    }
    // The first call, and then as many attempts as the limit has tokens: the loss took one of the five itself.
    expect(server.streams.length).toBeGreaterThan(3);
    expect(server.streams.length).toBeLessThanOrEqual(6);
    session.close();
  });

  test("ends its wait early by retry, but not before the time that the server gave", async () => {
    const { session, chat } = start({ policies: { network: { initialMs: 60_000, maxMs: 60_000, jitter: "none" } } });
    session.retry(); // nothing waits: nothing happens
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(1_000);
    session.retry();
    await clock.advance(1);
    expect(server.streams).toHaveLength(2);
    served(1).end(toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + 30_000) }, clock.now()));
    await clock.settle();
    session.retry();
    await clock.advance(29_999);
    expect(server.streams).toHaveLength(2);
    await clock.advance(1);
    expect(server.streams).toHaveLength(3);
    session.close();
  });

  test.each([
    [2_000, 5], // with tokens used ahead: as many as the burst
    [500, 3], // a server that says "now" again and again is no plan
  ])(
    "keeps times of %i ms that the server reserved, and no more than the rate limit lends: %i calls",
    async (ms, calls) => {
      const { session, chat } = start({
        rateLimit: { burst: 2, perMs: 3_600_000 },
        policies: { throttled: { jitter: "none" } },
      });
      collect(chat.subscribe({}));
      for (let call = 0; call < 9; call++) {
        await clock.settle();
        if (server.streams.length <= call) break;
        const retryAt = new Date(clock.now() + ms);
        served(call).end(toConnectError({ reason: "throttled", retryAt, reserved: true }, clock.now()));
        await clock.advance(20_000);
      }
      expect(server.streams).toHaveLength(calls);
      session.close();
    },
  );

  test("is over in the state, too, once the streams were healthy", async () => {
    const { session, chat } = start();
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(750);
    served(1).send(1);
    await clock.advance(9_999);
    expect(session.state.status).toBe("recovering");
    await clock.advance(1);
    expect(session.state.status).toBe("healthy");
    session.close();
  });

  test("heeds the one stream that the server told the reason", async () => {
    const { session, chat, lines } = start();
    collect(chat.subscribe({}));
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.settle();
    served(1).end(toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + 60_000) }, clock.now()));
    await clock.advance(60_000);
    expect(server.streams).toHaveLength(2);
    await clock.advance(2_500);
    expect(server.streams).toHaveLength(3);
    expect(lines.filter((line) => line.startsWith("disconnected"))).toHaveLength(1);
    expect(lines).toContain("reconnecting: #1 in 62500 ms");
    session.close();
  });

  test("stops all streams that wait when the probe is answered by giving up", async () => {
    const { session, chat, lines } = start({ policies: { network: { maxAttempts: 1 } } });
    const streams = [1, 2, 3].map(() => collect(chat.subscribe({})));
    await clock.settle();
    server.refuse = () => unavailable();
    for (const stream of server.streams) stream.end(unavailable());
    await clock.advance(60_000);
    for (const { end } of streams) expect(await end).toMatchObject({ code: Code.Unavailable });
    expect(server.streams).toHaveLength(4);
    expect(session.state.status).not.toBe("ended");
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(3);
  });

  test.each([0, 499, 600])(
    "that ended by giving up leaves a new call its own attempts (refused after %d ms)",
    async (ms) => {
      const network = { maxAttempts: 2, initialMs: 100, maxMs: 100, jitter: "none" } as const;
      const { session, chat } = start({ rateLimit: false, policies: { network } });
      const attempts: number[] = [];
      for (let call = 0; call < 2; call++) {
        const before = server.streams.length;
        let over = false;
        const { end } = collect(chat.subscribe({}));
        end.then(() => {
          over = true;
        });
        while (!over) {
          await clock.advance(ms);
          server.streams.at(-1)?.end(unavailable());
          await clock.advance(100);
        }
        attempts.push(server.streams.length - before);
      }
      expect(attempts).toEqual([3, 3]);
      session.close();
    },
  );

  test("that is answered by an application error concerns that stream alone", async () => {
    const { session, chat } = start();
    const first = collect(chat.subscribe({ room: "gone" }));
    collect(chat.subscribe({ room: "there" }));
    await clock.settle();
    server.refuse = ({ room }) => (room === "gone" ? new ConnectError("gone", Code.NotFound) : undefined);
    for (const stream of server.streams) stream.end(unavailable());
    await clock.advance(1_000);
    expect(await first.end).toMatchObject({ code: Code.NotFound });
    expect(server.live).toBe(1);
    session.close();
  });
});
