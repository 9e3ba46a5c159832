import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type Extension, method, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { createFakeDevice, type FakeDevice } from "./device.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

let clock: FakeClock;
let server: InMemoryServer;
let device: FakeDevice;
const errors: unknown[] = [];

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  device = createFakeDevice();
  errors.length = 0;
});

afterEach(async () => {
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(server.live).toBe(0);
  expect(device.watchers).toBe(0);
  expect(errors).toEqual([]);
});

const resumable = method(ChatService.method.subscribe, {
  endless: true,
  resume: (request, last) => ({ ...request, afterId: last.id }),
});

function start(options: SessionOptions = {}) {
  const reportError = (error: unknown) => errors.push(error);
  const session = createSession(server.transport, {
    clock,
    extensions: [device.extension],
    reportError,
    ...options,
  });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

function served(n: number) {
  const stream = server.streams[n];
  if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
  return stream;
}

const unavailable = () => new ConnectError("down", Code.Unavailable);

describe("a device that goes offline", () => {
  test("lets go of its streams at once, asks nothing for an hour, and comes back with jitter where it was", async () => {
    const { session, chat, lines } = start({ methods: [resumable] });
    const { messages } = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).send(1);
    await clock.settle();
    device.become("offline");
    await clock.settle();
    expect(server.live).toBe(0);
    expect(session.state).toMatchObject({ status: "paused", why: "offline" });
    await clock.advance(3_600_000);
    expect(server.streams).toHaveLength(1);
    device.become(undefined);
    expect(session.state.status).toBe("waiting");
    await clock.advance(749);
    expect(server.streams).toHaveLength(1);
    await clock.advance(1);
    expect(served(1).request).toMatchObject({ afterId: 1 });
    served(1).send(2);
    await clock.settle();
    expect(messages.map(({ id }) => id)).toEqual([1, 2]);
    expect(lines).toEqual([
      "connected",
      "streamOpened: 1",
      "disconnected: network",
      "network: the device is offline",
      "paused: offline",
      "streamLost: 1 network",
      "reconnecting: #1 in 750 ms",
      "reconnected: after 1, gap resumed",
      "streamReopened: 1 gap resumed",
    ]);
    session.close();
  });

  test("counts no failure: after ten pauses a policy of one attempt still has its attempt", async () => {
    const policies = { network: { initialMs: 100, jitter: "none", maxAttempts: 1 } } as const;
    const { session, chat } = start({ policies, rateLimit: false });
    const { end } = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    for (let round = 0; round < 10; round++) {
      device.become("offline");
      await clock.advance(1_000);
      device.become(undefined);
      await clock.advance(1_000);
    }
    expect(server.streams).toHaveLength(11);
    served(10).end(unavailable());
    await clock.advance(1_000);
    expect(server.streams).toHaveLength(12);
    served(11).end(unavailable());
    expect(await end).toMatchObject({ code: Code.Unavailable });
    session.close();
  });

  test("holds a new stream, and starts it when it is back", async () => {
    device.become("offline");
    const { session, chat, lines } = start();
    const { messages } = collect(chat.subscribe({ room: "lobby" }));
    await clock.advance(60_000);
    expect(server.streams).toHaveLength(0);
    expect(session.state).toMatchObject({ status: "paused", why: "offline" });
    device.become(undefined);
    await clock.advance(1_000);
    served(0).send(1);
    await clock.settle();
    expect(messages).toHaveLength(1);
    expect(lines).toEqual([
      "disconnected: network",
      "network: the device is offline",
      "paused: offline",
      "reconnecting: #1 in 750 ms",
      "connected",
      "streamOpened: 1",
    ]);
    session.close();
  });

  test("does not wait out a backoff from before, but does wait for the server's time", async () => {
    server.refuse = (_, attempt) => {
      if (attempt === 0) return unavailable();
      return attempt === 1 ? toConnectError({ reason: "maintenance", retryAt: at }, clock.now()) : undefined;
    };
    const at = new Date(clock.now() + 600_000);
    const { session, chat } = start({ policies: { network: { initialMs: 40_000, jitter: "none" } } });
    collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    device.become("offline");
    await clock.advance(1_000);
    device.become(undefined);
    await clock.advance(20_000); // half of initialMs, by chance
    expect(server.streams).toHaveLength(2);
    device.become("offline");
    await clock.advance(1_000);
    device.become(undefined);
    await clock.advance(at.getTime() - clock.now() - 1);
    expect(server.streams).toHaveLength(2);
    await clock.advance(1);
    expect(server.streams).toHaveLength(3);
    session.close();
  });

  test("gives the token of a wait back, and takes one for its return", async () => {
    const rateLimit = { burst: 2, perMs: 1_000_000 };
    const { session, chat } = start({ rateLimit });
    collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).end(unavailable()); // takes the first token
    await clock.settle();
    device.become("offline"); // and gives it back
    device.become(undefined);
    await clock.advance(1_000);
    expect(server.streams).toHaveLength(2);
    device.become("offline");
    device.become(undefined);
    await clock.advance(1_000);
    expect(server.streams).toHaveLength(3);
    device.become("offline");
    device.become(undefined);
    await clock.advance(400_000);
    expect(server.streams).toHaveLength(3);
    session.close();
  });

  test("gives up an attempt that is on its way, and begins it anew", async () => {
    const { session, chat, lines } = start();
    const { messages } = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(750);
    expect(session.state.status).toBe("probing");
    device.become("offline");
    await clock.settle();
    expect(server.live).toBe(0);
    device.become(undefined);
    await clock.advance(1_000);
    served(2).send(1);
    await clock.settle();
    expect(messages).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith("network"))).toHaveLength(1);
    expect(lines.at(-2)).toBe("reconnected: after 2, gap unknown");
    session.close();
  });

  test("hears a verdict on a unary call all the same", async () => {
    server = createInMemoryServer((router) => {
      router.rpc(ChatService.method.say, () => {
        throw toConnectError({ reason: "banned" });
      });
    });
    const { session, chat, lines } = start();
    const { end } = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    device.become("offline");
    await expect(chat.say({ text: "?" })).rejects.toThrow();
    await end;
    expect(session.state.status).toBe("ended");
    expect(lines.slice(-3)).toEqual(["banned", "ended: banned: policy is to end", "streamEnded: 1 stopped"]);
  });

  test("asks for new credentials after the pause if it was about to", async () => {
    server.refuse = (_, attempt) => (attempt === 0 ? toConnectError({ reason: "unauthenticated" }) : undefined);
    let refreshes = 0;
    let fail = () => {};
    const refresh = () =>
      new Promise((resolve, reject) => {
        refreshes += 1;
        fail = () => reject(new Error("fetch failed"));
        if (refreshes === 2) resolve(true);
      });
    const { session, chat } = start({ refresh });
    collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    expect(session.state.status).toBe("refreshing");
    device.become("offline");
    await clock.advance(60_000);
    fail(); // how else, without a network: but nobody waits for it any more
    await clock.settle();
    expect(session.state.status).toBe("paused");
    device.become(undefined);
    await clock.advance(5_000);
    expect(refreshes).toBe(2);
    expect(server.streams).toHaveLength(2);
    session.close();
  });

  test("leaves a refresh alone when the page is hidden: a second one might be refused", async () => {
    server.refuse = (_, attempt) => (attempt === 0 ? toConnectError({ reason: "unauthenticated" }) : undefined);
    let refreshes = 0;
    let renew: (renewed: boolean) => void = () => {};
    const refresh = () => {
      refreshes += 1;
      return new Promise((resolve) => (renew = resolve));
    };
    const { session, chat } = start({ refresh });
    collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    device.become("hidden");
    device.become(undefined);
    device.become("hidden");
    renew(true);
    await clock.advance(1_000);
    device.become(undefined);
    await clock.advance(5_000);
    expect(refreshes).toBe(1);
    expect(server.live).toBe(1);
    session.close();
  });
});

test("nothing is wrong any more when the only stream that waited has been canceled", async () => {
  const { session, chat, lines } = start();
  const phases: string[] = [];
  session.on("state", ({ status }) => phases.push(status));
  const controller = new AbortController();
  collect(chat.subscribe({ room: "lobby" }));
  const { end } = collect(chat.subscribe({ room: "lobby" }, { signal: controller.signal }));
  await clock.settle();
  served(0).send(1);
  served(1).send(1);
  await clock.settle();
  served(1).end(unavailable());
  await clock.settle();
  expect(session.state.status).toBe("waiting");
  controller.abort();
  await end;
  expect(session.state.status).toBe("healthy");
  expect(phases).toEqual(["connecting", "healthy", "waiting", "healthy"]);
  await clock.advance(5_000);
  served(0).end(unavailable()); // a loss of its own, with a wait of its own
  await clock.settle();
  expect(lines.at(-1)).toMatch(/^reconnecting: #1 in \d+ ms$/);
  session.close();
});

test("twenty streams that are lost together are one change of state", async () => {
  const { session, chat } = start();
  const phases: string[] = [];
  session.on("state", ({ status }) => phases.push(status));
  for (let n = 0; n < 20; n++) collect(chat.subscribe({ room: "lobby" }));
  await clock.settle();
  for (const stream of [...server.streams]) stream.end(unavailable());
  await clock.settle();
  expect(phases).toEqual(["connecting", "healthy", "waiting"]);
  session.close();
});

test("the state is told after the end of a stream that it comes of", async () => {
  const { session, chat } = start();
  const told: string[] = [];
  session.on("state", ({ status }) => told.push(status));
  session.on("streamEnded", () => told.push("streamEnded"));
  const controller = new AbortController();
  collect(chat.subscribe({ room: "lobby" }, { signal: controller.signal }));
  await clock.settle();
  served(0).end(unavailable());
  await clock.settle();
  controller.abort();
  await clock.settle();
  expect(told).toEqual(["connecting", "healthy", "waiting", "streamEnded", "idle"]);
  session.close();
});

describe("a page that is put aside", () => {
  test.each(["hidden", "frozen"] as const)(
    "because it is %s is no news of the network, and comes back at once",
    async (why) => {
      const { session, chat, lines } = start({ methods: [resumable] });
      collect(chat.subscribe({ room: "lobby" }));
      await clock.settle();
      served(0).send(1);
      await clock.settle();
      device.become(why);
      expect(server.live).toBe(0); // in this very turn: a page that is frozen has no later one
      await clock.advance(3_600_000);
      device.become(undefined);
      await clock.advance(1);
      expect(server.live).toBe(1);
      served(1).send(2);
      await clock.settle();
      expect(lines.slice(2)).toEqual([
        "disconnected: network",
        `paused: ${why}`,
        "streamLost: 1 network",
        "reconnecting: #1 in 1 ms",
        "reconnected: after 1, gap resumed",
        "streamReopened: 1 gap resumed",
      ]);
      session.close();
    },
  );

  test("drops an attempt on its way in the same turn, too", async () => {
    const { session, chat } = start();
    collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(750);
    expect(server.live).toBe(1);
    device.become("frozen");
    expect(server.live).toBe(0);
    session.close();
  });

  test("opens its streams anew after a sleep that is noticed when it is over", async () => {
    const { session, chat } = start();
    collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    device.become("asleep");
    device.become(undefined);
    await clock.advance(1_000);
    expect(server.live).toBe(1);
    expect(server.streams).toHaveLength(2);
    session.close();
  });

  test("leaves streams alone that could not be opened again", async () => {
    const { session, chat, lines } = start({ methods: [method(ChatService.method.subscribe, { finite: true })] });
    const { messages, end } = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    served(0).send(1);
    await clock.settle();
    device.become("hidden");
    await clock.settle();
    expect(server.live).toBe(1);
    expect(session.state.status).toBe("healthy"); // nothing waits
    expect(lines).toEqual(["connected", "streamOpened: 1"]);
    device.become(undefined);
    await clock.advance(60_000);
    expect(session.state.status).toBe("healthy");
    served(0).send(2);
    served(0).end();
    await end;
    expect(messages).toHaveLength(2);
    session.close();
  });
});

test("the environment is watched from the first stream to the end of the last", async () => {
  const { session, chat } = start();
  expect(device.watchers).toBe(0);
  const controllers = [new AbortController(), new AbortController()];
  const ends = controllers.map(({ signal }) => collect(chat.subscribe({ room: "lobby" }, { signal })).end);
  await clock.settle();
  expect(device.watchers).toBe(1);
  device.become("offline");
  for (const controller of controllers) controller.abort();
  await Promise.all(ends);
  expect(device.watchers).toBe(0);
  expect(session.state.status).toBe("idle"); // nobody waits, and nobody knows any more whether it is offline
  device.become(undefined);
  collect(chat.subscribe({ room: "lobby" }));
  await clock.advance(1);
  expect(device.watchers).toBe(1);
  expect(server.live).toBe(1);
  session.close();
});

test("of a stream that has ended nothing more is told, whatever a listener of its end brings about", async () => {
  const { session, chat, lines } = start();
  const stream = collect(chat.subscribe({}, { timeoutMs: 5_000 }));
  const other = collect(chat.subscribe({}));
  session.on("streamEnded", ({ stream: { id } }) => id === 1 && device.become("offline"));
  await clock.settle();
  server.streams[1]?.send(1);
  await clock.advance(5_000);
  expect(await stream.end).toMatchObject({ code: Code.DeadlineExceeded });
  expect(lines.filter((line) => line.startsWith("stream"))).toEqual([
    "streamOpened: 2",
    "streamEnded: 1 failed",
    "streamLost: 2 network",
  ]);
  session.close();
  await other.end;
});

test("a listener that closes the session when it is paused ends everything", async () => {
  const { session, chat } = start();
  session.on("paused", () => session.close());
  const { end } = collect(chat.subscribe({ room: "lobby" }));
  await clock.settle();
  device.become("offline");
  expect(await end).toMatchObject({ code: Code.Canceled });
});

test("a session that is closed by a listener before its first stream has begun leaves nothing on the caller's signal", async () => {
  device.become("offline");
  const { session, chat } = start();
  session.on("paused", () => session.close());
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners += 1;
    return addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners -= 1;
    return removeEventListener.apply(signal, args);
  };
  expect(await collect(chat.subscribe({ room: "lobby" }, { signal })).end).toMatchObject({ code: Code.Canceled });
  expect(listeners).toBeLessThanOrEqual(0);
});

test("an extension that is none is refused", () => {
  expect(() => start({ extensions: [{} as Extension] })).toThrow("extensions[0]: expected a function, got {}");
});
