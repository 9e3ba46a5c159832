import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient } from "../src/index.js";
import { collect } from "./in-memory.js";
import { createTokenWorld, hang, type TokenWorld, unavailable } from "./tokens.js";

// Credentials are got ahead of the end of those before, and nobody notices.

let world: TokenWorld;

beforeEach(() => {
  world = createTokenWorld();
});

afterEach(() => world.leavesNothing());

/** A `refresh` that says when the new ones end: in so many ms. */
const renewing = (ms: number) =>
  world.refresh(() => {
    world.grant(ms);
    return { expiresAt: new Date(world.tokenEndsAt) };
  });

async function open(options: Parameters<TokenWorld["start"]>[0]) {
  const started = world.start(options);
  const { chat } = started;
  const stream = collect(chat.subscribe({}));
  await world.clock.settle();
  world.server.streams[0]?.send(1);
  await world.clock.settle();
  return { ...started, stream, before: [...started.lines] };
}

describe("credentials with a known end", () => {
  test("are renewed ahead of it, each time: no event, no other state, and the stream goes on", async () => {
    const { session, lines, before } = await open({ refresh: renewing(300_000) });
    const states: string[] = [];
    session.on("state", ({ status }) => states.push(status));
    await session.refresh();
    for (let n = 2; n <= 5; n++) {
      const endsAt = world.tokenEndsAt;
      while (world.refreshes.length < n) await world.clock.advance(1_000);
      expect(world.clock.now()).toBeLessThan(endsAt);
    }
    expect(lines).toEqual(before);
    expect(states).toEqual([]);
    expect(world.server.streams).toHaveLength(1);
    session.close();
  });

  test.each([
    [0, 225_000],
    [0.999, 270_000],
  ])("are renewed with jitter: chance %s", async (chance, afterMs) => {
    world = createTokenWorld(() => chance);
    const { session } = await open({ refresh: renewing(300_000) });
    await session.refresh();
    await world.clock.advance(afterMs - 300);
    expect(world.refreshes).toHaveLength(1);
    await world.clock.advance(300);
    expect(world.refreshes).toHaveLength(2);
    session.close();
  });

  test("may be those that the login began with, and those of the next login", async () => {
    const { session } = await open({
      refresh: world.refresh(() => world.refreshes.length < 2 && world.grant(60_000)),
      expiresAt: () => new Date(world.tokenEndsAt),
    });
    await world.clock.advance(59_000);
    expect(world.refreshes).toHaveLength(1);
    await world.clock.advance(59_000);
    expect(session.state.status).toBe("ended"); // the second said that the user is signed out
    world.grant(60_000);
    session.restart();
    collect(createClient(ChatService, session).subscribe({}));
    await world.clock.advance(59_000);
    expect(world.refreshes).toHaveLength(3);
    expect(session.state.status).toBe("ended");
  });

  test("hold a timer only while there are streams, and none is left after close", async () => {
    const { session, chat } = world.start({ refresh: renewing(60_000), expiresAt: () => new Date(world.tokenEndsAt) });
    expect(world.clock.sleepers).toBe(0);
    const caller = new AbortController();
    const { end } = collect(chat.subscribe({}, { signal: caller.signal }));
    await world.clock.settle();
    expect(world.clock.sleepers).toBe(1);
    caller.abort();
    await end;
    await world.clock.settle();
    expect(world.clock.sleepers).toBe(0);
    session.close();
  });

  test("that have ended while there was no stream are renewed before the next one goes out", async () => {
    const { session, chat, lines } = world.start({
      ...{ refresh: renewing(60_000), expiresAt: () => new Date(world.tokenEndsAt) },
    });
    await world.clock.advance(3_600_000);
    const stream = collect(chat.subscribe({}));
    await world.clock.settle();
    expect(world.refreshes).toHaveLength(1);
    world.server.streams[0]?.send(1);
    await world.clock.settle();
    expect(stream.messages).toHaveLength(1);
    expect(lines).toEqual(["connected", "streamOpened: 1"]);
    session.close();
  });

  test.each(["asleep", "offline"] as const)(
    "that have ended in a pause (%s) are renewed before anything goes out",
    async (why) => {
      const { clock, device, server } = world;
      const { session, lines } = await open({
        refresh: renewing(60_000),
        expiresAt: () => new Date(world.tokenEndsAt),
      });
      device.become(why);
      clock.setWallClock(clock.now() + 3_600_000); // timers stand still while a device sleeps
      await clock.advance(1_000);
      expect(world.refreshes).toHaveLength(0);
      device.become(undefined);
      await clock.advance(3_000);
      expect(world.refreshes).toHaveLength(1);
      expect(server.streams).toHaveLength(2);
      expect(server.live).toBe(1);
      expect(lines.join()).not.toContain("unauthenticated");
      session.close();
    },
  );

  test("that end in an outage are renewed before the next attempt", async () => {
    const { clock, server } = world;
    const { session, lines } = await open({ refresh: renewing(60_000), expiresAt: () => new Date(world.tokenEndsAt) });
    let away = true;
    server.refuse = () => (away ? unavailable() : undefined);
    server.streams[0]?.end(unavailable());
    await clock.advance(600_000);
    away = false;
    await clock.advance(60_000);
    expect(server.live).toBe(1);
    expect(lines.join()).not.toContain("unauthenticated");
    session.close();
  });

  test("are renewed where all streams have left in an outage, too", async () => {
    const { clock, server, said } = world;
    const caller = new AbortController();
    const expiresAt = () => new Date(clock.now() + 60_000);
    const { session, chat } = world.start({ expiresAt, refresh: renewing(300_000) });
    const { end } = collect(chat.subscribe({}, { signal: caller.signal }));
    await clock.settle();
    server.streams[0]?.end(unavailable());
    await clock.settle();
    caller.abort();
    await end;
    await clock.advance(120_000);
    await chat.say({});
    expect(said).toEqual([true]);
    expect(world.refreshes).toHaveLength(1);
    session.close();
  });

  test("are not renewed again and again where a wrong clock says that they have ended already", async () => {
    const past = world.refresh(() => ({ expiresAt: new Date(world.clock.now() - 3_600_000) }));
    const { session } = await open({ refresh: past });
    await session.refresh();
    await world.clock.advance(600_000);
    expect(world.refreshes).toHaveLength(1);
    session.close();
  });

  test.each([
    ["a number", 1_900_000_000],
    ["no date", new Date(Number.NaN)],
  ])("given as %s are reported, and got all the same", async (_, expiresAt) => {
    const { session } = await open({ refresh: async () => ({ expiresAt }) });
    expect(await session.refresh()).toBe(true);
    expect(world.errors).toMatchObject([{ message: expect.stringContaining("expiresAt: expected a Date") }]);
    session.close();
  });
});

test("an answer whose end cannot be read is taken for one without, and reported", async () => {
  const wrong = new Error("no date here");
  const refresh = world.refresh(() => ({
    get expiresAt(): Date {
      throw wrong;
    },
  }));
  const reported: unknown[] = [];
  const { session } = await open({ refresh, reportError: (error) => reported.push(error) });
  expect(await session.refresh()).toBe(true);
  await world.clock.settle();
  expect(reported).toEqual([wrong]);
  session.close();
});

describe("a renewal ahead of the end that fails", () => {
  test.each(["full", "equal", "decorrelated"] as const)(
    "is tried again after waits that grow, with %s jitter, too",
    async (jitter) => {
      const { session } = await open({
        policies: { network: { initialMs: 1_000, maxMs: 60_000, jitter } },
        expiresAt: () => new Date(world.tokenEndsAt),
        refresh: world.refresh(() => Promise.reject(new Error("no"))),
      });
      await world.clock.advance(600_000);
      expect(world.refreshes.length).toBeGreaterThan(5);
      expect(world.refreshes.length).toBeLessThan(40);
      session.close();
    },
  );

  test("is tried again, and told, and the stream goes on", async () => {
    const { session, lines, before } = await open({
      refresh: world.refresh(() => {
        if (world.refreshes.length < 4) throw new Error("no");
        world.grant(600_000);
        return { expiresAt: new Date(world.tokenEndsAt) };
      }),
      expiresAt: () => new Date(world.tokenEndsAt),
    });
    await world.clock.advance(60_000);
    expect(world.refreshes).toHaveLength(4);
    const failures = lines.slice(before.length);
    expect(failures).toHaveLength(3);
    for (const line of failures) expect(line).toMatch(/^refreshFailed: #\d, again in \d+ ms$/);
    expect(session.state.status).toBe("healthy");
    session.close();
  });

  test("by a hang is given up in a pause, and begun anew after it", async () => {
    const { clock, device } = world;
    const { session } = await open({ refresh: world.refresh(hang), expiresAt: () => new Date(world.tokenEndsAt) });
    await clock.advance(50_000);
    expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([false]);
    device.become("asleep");
    device.become(undefined);
    await clock.advance(5_000);
    expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([true, false]);
    session.close();
  });
});

test("a unary call does not wait for a renewal as long as the credentials of now hold, and then it does", async () => {
  const { clock } = world;
  const { session, chat } = await open({ refresh: world.refresh(hang), expiresAt: () => new Date(world.tokenEndsAt) });
  await clock.advance(58_000);
  expect(world.refreshes).toHaveLength(1);
  await chat.say({});
  expect(world.said).toEqual([true]);
  await clock.advance(2_000);
  const late = chat.say({}, { timeoutMs: 1_000 }).catch(() => "waits");
  await clock.advance(1_000);
  expect(await late).toBe("waits");
  expect(world.said).toEqual([true]);
  session.close();
});

test("false, ahead of the end, signs out as well", async () => {
  const { session, stream } = await open({ refresh: async () => false, expiresAt: () => new Date(world.tokenEndsAt) });
  await world.clock.advance(60_000);
  expect(await stream.end).toMatchObject({ rawMessage: "signed out" });
  expect(session.state).toMatchObject({ status: "ended", why: "unauthenticated: signed out" });
});
