import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { pageEnvironment, tabMemory } from "../src/browser/index.js";
import { createClient, createSession, disconnectOf, method, type Session, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { createFakeDevice } from "./device.js";
import { collect, createInMemoryServer, type InMemoryServer, listen, type ServedStream } from "./in-memory.js";
import { stubBrowser } from "./tabs.js";

// The wall clock is set by people, by NTP, and by a virtual machine that wakes up. Durations do not notice.

const hour = 3_600_000;
const settings = [
  ["back", -hour],
  ["forth", hour],
] as const;

let clock: FakeClock;
let server: InMemoryServer;
let sessions: Session[] = [];

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  sessions = [];
});

afterEach(async () => {
  for (const session of sessions) session.close();
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  vi.unstubAllGlobals();
});

const set = (byMs: number) => clock.setWallClock(clock.now() + byMs);
const unavailable = () => new ConnectError("down", Code.Unavailable);
const steady = { network: { initialMs: 10_000, maxMs: 10_000, jitter: "none" } } as const;

function open(options: SessionOptions = {}, entry = {}) {
  const session = createSession(server.transport, {
    ...{ clock, policies: steady, rateLimit: false },
    methods: [method(ChatService.method.subscribe, entry)],
    ...options,
  });
  sessions.push(session);
  const chat = createClient(ChatService, session);
  const subscribe = (call = {}) => collect(chat.subscribe({ room: "lobby" }, call));
  return { session, chat, subscribe, ...listen(session) };
}

function served(n: number): ServedStream {
  const stream = server.streams[n];
  if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
  return stream;
}

describe.each(settings)("a wall clock that is set %s by an hour", (_, byMs) => {
  test("leaves the idle time-out as it was", async () => {
    const { subscribe, lines } = open({}, { idleTimeoutMs: 30_000 });
    subscribe();
    await clock.settle();
    served(0).send(1);
    await clock.advance(10_000);
    set(byMs);
    await clock.advance(19_999);
    expect(lines).not.toContain("disconnected: network");
    await clock.advance(1);
    expect(lines).toContain("disconnected: network");
  });

  test("makes a session healthy neither earlier nor later", async () => {
    const { session, subscribe } = open();
    subscribe();
    await clock.settle();
    served(0).send(1);
    served(0).end(unavailable());
    await clock.advance(10_000);
    served(1).send(2);
    await clock.settle();
    set(byMs);
    await clock.advance(9_999);
    expect(session.state.status).toBe("recovering");
    await clock.advance(1);
    expect(session.state.status).toBe("healthy");
  });

  test("ends a call with a time-out neither earlier nor later", async () => {
    const { subscribe } = open();
    const { end } = subscribe({ timeoutMs: 60_000 });
    const ended = vi.fn();
    void end.then(ended);
    await clock.settle();
    served(0).send(1);
    await clock.settle();
    set(byMs);
    await clock.advance(20_000);
    served(0).end(unavailable());
    await clock.advance(10_000);
    expect(server.streams).toHaveLength(2);
    expect(ended).not.toHaveBeenCalled();
    await clock.advance(29_999);
    expect(ended).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(await end).toMatchObject({ code: Code.DeadlineExceeded });
  });

  test("moves no wait", async () => {
    const { subscribe } = open();
    subscribe();
    await clock.settle();
    served(0).send(1);
    served(0).end(unavailable());
    await clock.advance(4_000);
    set(byMs);
    await clock.advance(5_999);
    expect(server.streams).toHaveLength(1);
    await clock.advance(1);
    expect(server.streams).toHaveLength(2);
  });

  test("gives or takes no token of the rate limit", async () => {
    const { session, subscribe } = open({
      rateLimit: { burst: 2, perMs: 60_000 },
      policies: { network: { initialMs: 1_000, maxMs: 1_000, jitter: "none" } },
    });
    server.refuse = unavailable;
    subscribe();
    await clock.advance(2_000);
    expect(server.streams).toHaveLength(3); // the first attempt, and the burst
    set(byMs);
    session.retry();
    await clock.advance(28_999);
    expect(server.streams).toHaveLength(3);
    await clock.advance(2);
    expect(server.streams).toHaveLength(4);
  });

  test("leaves a time that the server gave as far away as it was", async () => {
    const { subscribe } = open({ policies: { maintenance: { initialMs: 1, jitter: "none" } } });
    subscribe();
    await clock.settle();
    const retryAt = new Date(clock.now() + 60_000);
    served(0).send(1);
    served(0).end(toConnectError({ reason: "maintenance", retryAt }, clock.now()));
    await clock.advance(20_000);
    set(byMs);
    await clock.advance(39_999);
    expect(server.streams).toHaveLength(1);
    await clock.advance(1);
    expect(server.streams).toHaveLength(2);
  });

  test("lets a notice explain a cut for its time, and no longer", async () => {
    for (const [laterMs, reason] of [
      [9_999, "kicked"],
      [10_001, "network"],
    ] as const) {
      const { session, subscribe, lines } = open({ noticeTtlMs: 10_000 });
      subscribe();
      await clock.settle();
      session.notice({ reason: "kicked", message: "Idle" }, new Date(clock.now() + 5_000));
      set(byMs);
      await clock.advance(5_000 + laterMs);
      server.streams.at(-1)?.end(unavailable());
      await clock.settle();
      expect(lines.some((line) => line.startsWith(reason))).toBe(true);
    }
  });

  test("lets the prober be let in, and the others follow", async () => {
    const { session, subscribe } = open();
    for (let n = 0; n < 3; n++) subscribe();
    await clock.settle();
    for (const stream of server.streams) stream.send(1);
    await clock.settle();
    for (const stream of [...server.streams]) stream.end(unavailable());
    await clock.advance(10_000);
    expect(session.state.status).toBe("probing");
    set(byMs);
    await clock.advance(499); // it says nothing: it is presumed open
    expect(server.streams).toHaveLength(4);
    await clock.advance(1);
    expect(server.streams).toHaveLength(6);
  });

  test("is no sleep of the device that lasts, and streams that are opened anew for it come back", async () => {
    vi.stubGlobal("addEventListener", () => {});
    const { session, subscribe } = open({ extensions: [pageEnvironment()] });
    subscribe();
    await clock.settle();
    served(0).send(1);
    await clock.advance(1_000);
    set(byMs);
    await clock.advance(60_000);
    server.streams.at(-1)?.send(2);
    await clock.advance(15_000);
    expect(session.state.status).toBe("healthy");
    expect(server.live).toBe(1);
    expect(server.streams.length).toBe(byMs > 0 ? 2 : 1); // a sleep in which all clocks but this one stand still looks the same
  });
});

/** A session's day, in which it comes to every state but the last: when, by the clock for durations, what was told. */
async function day(
  setAfterMs: number,
  byMs: number,
): Promise<{ readonly log: string[]; readonly states: Set<string> }> {
  clock = createFakeClock();
  server = createInMemoryServer();
  const device = createFakeDevice();
  const { session, subscribe } = open({
    extensions: [device.extension],
    rateLimit: { burst: 5, perMs: 60_000 },
    policies: { ...steady, maintenance: { jitter: "none" }, unauthenticated: { jitter: "none" } },
    refresh: () => clock.sleep(3_000),
  });
  const log: string[] = [];
  const states = new Set<string>();
  const types = ["disconnected", "reconnecting", "paused", "reconnected", "ended", "state", "streamReopened"] as const;
  for (const type of types) {
    session.on(type, (payload) => {
      const {
        status = "",
        afterMs = 0,
        downMs = 0,
      } = payload as { status?: string; afterMs?: number; downMs?: number };
      log.push(`${clock.monotonic()} ${type} ${status} ${afterMs} ${downMs}`);
      states.add(status);
    });
  }
  const [first, second] = [subscribe(), subscribe({ timeoutMs: 200_000 })];
  const cut = (error: unknown) => {
    for (const stream of server.streams) if (!stream.over) stream.end(error);
  };
  const acts: readonly [afterMs: number, act: () => void][] = [
    [1_000, () => cut(unavailable())],
    [25_000, () => cut(new ConnectError("expired", Code.Unauthenticated))],
    [40_000, () => device.become("offline")],
    [45_000, () => device.become(undefined)],
    [
      70_000,
      () => cut(toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + 20_000) }, clock.now())),
    ],
    [120_000, () => cut(unavailable())],
    [125_000, () => session.retry()],
    [160_000, () => cut(unavailable())],
    [230_000, () => session.notice({ reason: "kicked", message: "Idle" })],
    [235_000, () => cut(unavailable())],
  ];
  const all = [...acts, [setAfterMs, () => set(byMs)] as const].sort(([one], [other]) => one - other);
  for (const [atMs, act] of all) {
    await clock.advance(atMs - clock.monotonic());
    act();
  }
  await clock.advance(10_000);
  for (const { end } of [first, second]) log.push(String(await end));
  return { log, states };
}

test("a wall clock that is set in any state of a session changes nothing of what it does, and when", async () => {
  const { log, states } = await day(0, 0);
  expect([...states].sort()).toEqual([
    "",
    "connecting",
    "ended",
    "healthy",
    "paused",
    "probing",
    "recovering",
    "refreshing",
    "waiting",
  ]);
  for (let afterMs = 500; afterMs < 240_000; afterMs += 12_500) {
    for (const [, byMs] of settings) expect((await day(afterMs, byMs)).log).toEqual(log);
  }
});

test("a wait for the server's time is no longer after a pause in which the wall clock was set back", async () => {
  const device = createFakeDevice();
  const { subscribe } = open({
    extensions: [device.extension],
    policies: { maintenance: { initialMs: 1, jitter: "none" } },
  });
  subscribe();
  await clock.settle();
  served(0).send(1);
  served(0).end(toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + 60_000) }, clock.now()));
  await clock.advance(10_000);
  device.become("hidden");
  set(-hour);
  await clock.advance(10_000);
  device.become(undefined);
  await clock.advance(39_999);
  expect(server.streams).toHaveLength(1);
  await clock.advance(1);
  expect(server.streams).toHaveLength(2);
});

test("a wait for the server's time is over after a sleep in which the clock for durations stood still", async () => {
  vi.stubGlobal("addEventListener", () => {});
  const { subscribe } = open({ extensions: [pageEnvironment()] });
  subscribe();
  await clock.settle();
  served(0).send(1);
  served(0).end(toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + 30 * 60_000) }, clock.now()));
  await clock.advance(10_000);
  set(hour); // asleep
  await clock.advance(15_000 + 10_000);
  expect(server.streams).toHaveLength(2);
});

test("a device that slept is noticed where the clock for durations goes on in a sleep, and the wall clock was set back in it", async () => {
  vi.stubGlobal("addEventListener", () => {});
  const { subscribe, lines } = open({ extensions: [pageEnvironment()] });
  subscribe();
  await clock.settle();
  served(0).send(1);
  await clock.advance(1_000);
  const { monotonic } = clock;
  Object.assign(clock, { monotonic: () => monotonic() + hour });
  set(-hour);
  await clock.advance(15_000);
  expect(lines).toContain("paused: asleep");
  Object.assign(clock, { monotonic });
});

test("the times in the state of a session are dates", async () => {
  const { session, subscribe } = open({ policies: steady });
  subscribe();
  await clock.advance(5_000);
  served(0).send(1);
  set(hour);
  served(0).end(unavailable());
  await clock.settle();
  const { state } = session;
  const now = clock.now();
  expect(state).toMatchObject({ status: "waiting", until: now + 10_000, outage: { downAt: now } });
  expect(session.state).toBe(state);
  await clock.advance(10_000);
  served(1).send(2);
  await clock.settle();
  expect(session.state).toMatchObject({
    status: "recovering",
    healthyAt: clock.now() + 10_000,
    outage: { downAt: now },
  });
});

describe("what tabs share", () => {
  const tab = () => open({ extensions: [tabMemory({ account: "anna" })] });

  const turnMs = 50; // until a tab's turn to probe begins
  const cut = (retryMs: number) =>
    toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + retryMs) }, clock.now());

  test("is in dates: the next page, whose clock for durations begins anew, waits for the rest", async () => {
    stubBrowser();
    const first = tab();
    first.subscribe();
    await clock.advance(777_000);
    served(0).end(cut(10_000));
    await clock.advance(4_000);
    first.session.close();
    const { monotonic } = clock;
    const bornAt = monotonic();
    Object.assign(clock, { monotonic: () => monotonic() - bornAt });
    const next = tab();
    next.subscribe();
    await clock.advance(5_999);
    expect(server.streams).toHaveLength(1);
    await clock.advance(1 + turnMs);
    expect(server.streams).toHaveLength(2);
    Object.assign(clock, { monotonic });
  });

  test("holds no page for longer than it was to be held, where the wall clock was set back", async () => {
    stubBrowser();
    const first = tab();
    first.subscribe();
    await clock.settle();
    served(0).end(cut(10_000));
    await clock.advance(1_000);
    first.session.close();
    set(-hour);
    tab().subscribe();
    await clock.advance(9_000);
    expect(server.streams).toHaveLength(1);
    await clock.advance(1_000 + turnMs);
    expect(server.streams).toHaveLength(2);
  });

  test("is the same wait for all, though each rounds its clocks in its own way", async () => {
    const told: string[][] = [];
    for (const roundedByMs of [0, 1]) {
      stubBrowser();
      clock = createFakeClock();
      server = createInMemoryServer();
      const { now } = clock;
      let asked = 0;
      Object.assign(clock, { now: () => now() + (asked++ % 2) * roundedByMs });
      const tabs = [tab(), tab(), tab()];
      for (const { subscribe } of tabs) subscribe();
      await clock.settle();
      for (const stream of [...server.streams]) stream.end(unavailable());
      server.refuse = unavailable;
      await clock.advance(60_000);
      told.push(tabs.flatMap(({ lines }) => lines.filter((line) => line.startsWith("reconnecting"))));
      for (const { session } of tabs) session.close();
      await clock.settle();
      expect(clock.sleepers).toBe(0);
    }
    expect(told[1]?.length).toBe(told[0]?.length);
  });

  test("is heard from other tabs, too, after the wall clock was set back", async () => {
    stubBrowser();
    const [first, second] = [tab(), tab()];
    first.subscribe();
    second.subscribe();
    await clock.settle();
    for (const stream of [...server.streams]) stream.end(unavailable());
    await clock.advance(20_000);
    for (const stream of server.streams) stream.send(1);
    await clock.settle();
    expect(server.live).toBe(2);
    set(-hour);
    await clock.advance(20_000);
    served(2).end(toConnectError({ reason: "banned", message: "No cheating" }));
    await clock.settle();
    const next = tab();
    expect(disconnectOf(await next.subscribe().end)).toMatchObject({ reason: "banned" });
    expect(second.session.state.status).toBe("ended");
  });
});
