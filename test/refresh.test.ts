import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { disconnectOf, type Extension, type SessionEvents } from "../src/index.js";
import { recovering } from "../src/session/extension.js";
import { collect } from "./in-memory.js";
import { createTokenWorld, expired, hang, type TokenWorld, unavailable } from "./tokens.js";

// Credentials end while a server is away, a renewal fails, hangs, or is asleep: nobody is signed out for that.

let world: TokenWorld;

beforeEach(() => {
  world = createTokenWorld();
});

afterEach(() => world.leavesNothing());

/** A stream that is open, and that its server then ends for its token. */
async function openAndExpire(options: Parameters<TokenWorld["start"]>[0]) {
  const started = world.start(options);
  const stream = collect(started.chat.subscribe({}));
  await world.clock.settle();
  world.server.streams[0]?.send(1);
  await world.clock.settle();
  world.grant(0);
  world.server.streams[0]?.end(expired());
  await world.clock.settle();
  return { ...started, stream };
}

const payloads = <T extends keyof SessionEvents>(events: readonly [string, unknown][], type: T) =>
  events.filter(([name]) => name === type).map(([, payload]) => payload as SessionEvents[T]);

describe("a second expiry in one outage", () => {
  test("after half an hour in which the server was away, is refreshed again", async () => {
    const { clock, server } = world;
    const { session } = await openAndExpire({ refresh: world.refresh(() => world.grant(300_000)) });
    let away = true;
    server.refuse = () => (away ? unavailable() : clock.now() < world.tokenEndsAt ? undefined : expired());
    await clock.advance(1_800_000);
    expect(world.refreshes).toHaveLength(1);
    away = false;
    await clock.advance(120_000);
    expect(world.refreshes).toHaveLength(2);
    expect(server.live).toBe(1);
    session.close();
  });

  test("of tokens of three seconds is refreshed each time, and the waits grow until the session is healthy", async () => {
    const { clock, server } = world;
    let lifeMs = 3_000;
    const { session, events } = await openAndExpire({ refresh: world.refresh(() => world.grant(lifeMs)) });
    const refusedAtTheDoor: number[] = [];
    server.refuse = (_, attempt) => {
      if (clock.now() < world.tokenEndsAt) return undefined;
      refusedAtTheDoor.push(attempt);
      return expired();
    };
    const serve = async () => {
      const before = server.streams.length;
      while (server.streams.length === before) await clock.advance(100);
      server.streams.at(-1)?.send(1);
      await clock.advance(Math.max(0, world.tokenEndsAt - clock.now()));
      if (lifeMs < 10_000) server.streams.at(-1)?.end(expired());
    };
    for (let n = 0; n < 12; n++) await serve();
    expect(world.refreshes).toHaveLength(12);
    expect(refusedAtTheDoor).toEqual([]);
    const waits = payloads(events, "reconnecting").map(({ afterMs }) => afterMs);
    expect(Math.max(...waits)).toBeGreaterThanOrEqual(5_000); // half of the policy's cap, as chance has it
    lifeMs = 600_000;
    await serve();
    await clock.advance(20_000);
    expect(session.state.status).toBe("healthy");
    world.grant(0);
    server.streams.at(-1)?.end(expired());
    await clock.advance(1_000);
    expect(server.live).toBe(1); // as after the first
    session.close();
  });

  test("is final only as the very next answer after a refresh: a let-in, another loss or a pause in between proves nothing", async () => {
    const { clock, server, device } = world;
    const { session } = await openAndExpire({ refresh: world.refresh(() => world.grant(60_000)) });
    await clock.advance(5_000);
    server.streams.at(-1)?.send(1); // let in
    await clock.settle();
    server.streams.at(-1)?.end(expired());
    await clock.advance(5_000);
    server.streams.at(-1)?.end(unavailable()); // another loss, before anything came
    await clock.advance(5_000);
    server.streams.at(-1)?.end(expired());
    await clock.settle();
    device.become("asleep"); // between the refresh and what it is for
    await clock.advance(3_600_000);
    device.become(undefined);
    await clock.advance(30_000);
    expect(session.state.status).not.toBe("ended");
    server.streams.at(-1)?.send(1);
    await clock.settle();
    server.refuse = () => expired();
    server.streams.at(-1)?.end(expired());
    await clock.advance(60_000);
    expect(session.state).toMatchObject({ status: "ended", disconnect: { reason: "unauthenticated" } });
  });
});

describe("a stream whose credentials are older than the last refresh", () => {
  test("and that is refused after it, proves nothing about the new credentials, and asks for no others", async () => {
    const { clock, server } = world;
    server.refuse = undefined; // quiet, and refused when the test says so
    const { session, chat } = world.start({ refresh: world.refresh(() => clock.sleep(100)) });
    collect(chat.subscribe({}));
    collect(chat.subscribe({}));
    await clock.settle();
    server.streams[0]?.end(expired());
    await clock.advance(3_000);
    expect(server.streams).toHaveLength(3); // presumed open
    server.streams[1]?.end(expired());
    await clock.advance(10_000);
    expect(session.state.status).not.toBe("ended");
    expect(server.live).toBe(2);
    expect(world.refreshes).toHaveLength(1);
    session.close();
  });

  test("and that is ended with its own token, comes back with the one that was got ahead", async () => {
    const { clock, server } = world;
    const lifeMs = 60_000;
    const expiresAt = () => new Date(clock.now() + lifeMs);
    const { session, chat } = world.start({
      expiresAt,
      refresh: world.refresh(() => {
        world.grant(lifeMs);
        return { expiresAt: expiresAt() };
      }),
    });
    collect(chat.subscribe({}));
    await clock.settle();
    server.streams[0]?.send(1);
    await clock.advance(lifeMs);
    expect(world.refreshes).toHaveLength(1);
    server.streams[0]?.end(expired());
    await clock.advance(5_000);
    expect(world.refreshes).toHaveLength(1);
    expect(server.live).toBe(1);
    session.close();
  });

  test("and that could not be renewed before another tab got through, proves nothing either", async () => {
    const { clock, server } = world;
    let through = () => {};
    const otherTab: Extension = ({ consult }) => {
      through = consult;
      return {
        recall: ({ phase, bucket }, rules, { now }) =>
          phase.status === "waiting" && phase.refresh
            ? { phase: recovering(phase.outage, now, rules), bucket, events: [] }
            : undefined,
      };
    };
    let failing = true;
    const refresh = world.refresh(() => {
      if (failing) throw new Error("no");
      world.grant(60_000);
    });
    const { session } = await openAndExpire({ refresh, extensions: [otherTab] });
    expect(session.state.status).toBe("waiting");
    failing = false;
    through();
    expect(session.state.status).toBe("recovering");
    await clock.advance(10_000);
    expect(session.state.status).not.toBe("ended");
    expect(server.live).toBe(1);
    session.close();
  });
});

describe("a refresh that throws", () => {
  test("is tried again as the policy of network says, with waits that grow, and each failure is told", async () => {
    const { clock, server } = world;
    const offline = new TypeError("fetch failed");
    const refresh = world.refresh(() => {
      if (world.refreshes.length < 4) throw offline;
      world.grant(60_000);
    });
    const { session, events, lines } = await openAndExpire({
      ...{ refresh, rateLimit: false },
      policies: { network: { initialMs: 1_000, factor: 2, jitter: "none" } },
    });
    await clock.advance(60_000);
    expect(payloads(events, "refreshFailed")).toEqual([
      { error: offline, attempt: 1, afterMs: 1_000 },
      { error: offline, attempt: 2, afterMs: 2_000 },
      { error: offline, attempt: 3, afterMs: 4_000 },
    ]);
    expect(world.errors).toEqual([offline, offline, offline]);
    expect(lines).not.toContain("ended");
    expect(server.live).toBe(1);
    session.close();
  });

  test("counts its failures anew after one that did not", async () => {
    const { clock, server } = world;
    let failing = true;
    const refresh = world.refresh(() => {
      if (failing) throw new Error("no");
      world.grant(60_000);
    });
    const { session, events } = await openAndExpire({ refresh });
    failing = false;
    await clock.advance(60_000);
    server.streams.at(-1)?.send(1);
    await clock.advance(20_000);
    failing = true;
    server.streams.at(-1)?.end(expired());
    await clock.settle();
    expect(payloads(events, "refreshFailed").map(({ attempt }) => attempt)).toEqual([1, 1]);
    session.close();
  });

  test("goes out no more often than the rate limit lets it", async () => {
    const refresh = world.refresh(() => Promise.reject(new Error("no")));
    const policies = { network: { initialMs: 1, maxMs: 1 } };
    const { session } = await openAndExpire({ refresh, policies, rateLimit: { burst: 5, perMs: 60_000 } });
    await world.clock.advance(600_000);
    expect(world.refreshes.length).toBeLessThanOrEqual(1 + 5 + 50);
    expect(world.refreshes.length).toBeGreaterThan(40);
    expect(session.state.status).not.toBe("ended");
    session.close();
  });

  test("ends the session where the policy of network does not reconnect", async () => {
    const refresh = world.refresh(() => Promise.reject(new Error("no")));
    const { session, stream, events } = await openAndExpire({ refresh, policies: { network: "stop" } });
    expect(disconnectOf(await stream.end)?.reason).toBe("unauthenticated");
    expect(session.state).toMatchObject({ status: "ended", why: expect.stringContaining("the refresh failed: no") });
    expect(payloads(events, "refreshFailed")).toMatchObject([{ attempt: 1, afterMs: undefined }]);
  });
});

describe("a refresh that hangs", () => {
  test.each(["asleep", "offline", "frozen"] as const)(
    "is given up when the device is %s, and asked anew after it",
    async (why) => {
      const { clock, device, server } = world;
      const refresh = world.refresh((signal) => (world.refreshes.length === 1 ? hang(signal) : world.grant(60_000)));
      const { session } = await openAndExpire({ refresh });
      device.become(why);
      await clock.settle();
      expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([true]);
      await clock.advance(3_600_000);
      expect(world.refreshes).toHaveLength(1);
      device.become(undefined);
      await clock.advance(5_000);
      expect(world.refreshes).toHaveLength(2);
      expect(server.live).toBe(1);
      expect(world.errors).toEqual([]);
      session.close();
    },
  );

  test("goes on while the page is hidden, and is given up when the device then falls asleep", async () => {
    const { clock, device, server } = world;
    const refresh = world.refresh((signal) => (world.refreshes.length === 1 ? hang(signal) : world.grant(60_000)));
    const { session } = await openAndExpire({ refresh });
    device.become("hidden");
    await clock.advance(5_000);
    expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([false]);
    device.become("asleep");
    await clock.settle();
    expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([true]);
    device.become(undefined);
    await clock.advance(5_000);
    expect(server.live).toBe(1);
    session.close();
  });

  test.each([undefined, 5_000])(
    "is given up after refreshTimeoutMs (%s), and tried again",
    async (refreshTimeoutMs) => {
      const { clock, server } = world;
      const ms = refreshTimeoutMs ?? 30_000;
      const refresh = world.refresh((signal) => (world.refreshes.length === 1 ? hang(signal) : world.grant(60_000)));
      const { session, events } = await openAndExpire({ refresh, ...(refreshTimeoutMs && { refreshTimeoutMs }) });
      await clock.advance(ms - 1);
      expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([false]);
      await clock.advance(1);
      expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([true]);
      expect(payloads(events, "refreshFailed")).toMatchObject([
        { error: { message: `refresh: no answer within ${ms} ms` } },
      ]);
      await clock.advance(5_000);
      expect(server.live).toBe(1);
      session.close();
    },
  );

  test("is given up by retry(), and asked anew; one that has just begun is not", async () => {
    const { clock, server } = world;
    const refresh = world.refresh((signal) => (world.refreshes.length === 1 ? hang(signal) : world.grant(60_000)));
    const { session } = await openAndExpire({ refresh });
    await clock.advance(900);
    session.retry();
    expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([false]);
    await clock.advance(100);
    session.retry();
    expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([true]);
    await clock.advance(2_000);
    expect(world.refreshes).toHaveLength(2);
    expect(server.live).toBe(1);
    session.close();
  });

  test("is asked anew no more often than the rate limit lets it, however often somebody says retry()", async () => {
    const { session } = await openAndExpire({ refresh: world.refresh(hang), rateLimit: { burst: 3, perMs: 60_000 } });
    for (let n = 0; n < 60; n++) {
      await world.clock.advance(1_000);
      session.retry();
    }
    expect(world.refreshes.length).toBeLessThanOrEqual(1 + 3 + 3);
    session.close();
  });
});

test("who turns out to be signed out while the server is away is signed out, and was not lost to the network", async () => {
  const { clock, server } = world;
  const { session, chat, events } = world.start({
    refresh: async () => false,
    expiresAt: () => new Date(world.tokenEndsAt),
    rateLimit: false,
  });
  const stream = collect(chat.subscribe({}));
  await clock.settle();
  server.streams[0]?.send(1);
  await clock.settle();
  server.refuse = () => unavailable();
  server.streams[0]?.end(unavailable());
  await clock.advance(600_000);
  expect(disconnectOf(await stream.end)).toMatchObject({ reason: "unauthenticated", said: false });
  expect(payloads(events, "ended")).toMatchObject([
    { disconnect: { reason: "unauthenticated", message: "signed out" } },
  ]);
  expect(session.state).toMatchObject({ status: "ended", disconnect: { reason: "unauthenticated" } });
});
