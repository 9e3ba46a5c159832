import { describe, expect, test } from "vitest";
import { memoryStore, type Store } from "../../src/server/index.js";
import { createFakeStream } from "./fake-stream.js";
import { openVenue } from "./venue.js";

const down = new Error("store down");

/** A store whose methods fail as soon as their names are in `broken`, at once or after a while. */
function createBrittleStore(how: "at once" | "later") {
  const inner = memoryStore();
  const broken = new Set<keyof Store>();
  const brittle = <N extends keyof Store>(name: N): Store[N] =>
    ((...args: unknown[]) => {
      if (!broken.has(name)) return (inner[name] as (...args: unknown[]) => unknown)(...args);
      if (how === "at once") throw down;
      return new Promise((_, reject) => setImmediate(reject, down));
    }) as Store[N];
  const names = Object.keys(inner) as (keyof Store)[];
  const store = Object.fromEntries(names.map((name) => [name, brittle(name)])) as unknown as Store;
  return { store, broken };
}

describe.each(["at once", "later"] as const)("a store that fails %s", (how) => {
  function open(options: Parameters<typeof openVenue>[0] = {}) {
    const { store, broken } = createBrittleStore(how);
    return { broken, ...openVenue({ store, ...options }) };
  }

  test.each(["kick", "ban", "supersede", "expire", "throttle", "revoke", "drain"] as const)(
    "to write makes %s fail, and nobody is put out",
    async (verdict) => {
      const { bouncer, broken, clock, enter } = open();
      const guest = enter({ user: "ann", session: "s1", epoch: 0 });
      await clock.settle();
      broken.add("record");
      const decided =
        verdict === "revoke"
          ? bouncer.revoke("ann")
          : verdict === "drain"
            ? bouncer.drain()
            : bouncer[verdict]({ user: "ann" });
      await expect(decided).rejects.toBe(down);
      await clock.settle();
      expect(guest.told).toBeUndefined();
      expect(bouncer.count()).toBe(1);
      expect(Object.values(bouncer.stats().verdicts).every((count) => count === 0)).toBe(true);
      broken.clear();
      const next = enter({ user: "ann", session: "s1", epoch: 0 });
      await clock.settle();
      expect(next.entered).toBe(true); // nothing is left behind of it
      expect(clock.sleepers).toBe(0);
    },
  );

  test.each(["restrictions", "epoch", "login", "take"] as const)(
    "to answer (%s) lets nobody in, and tells them that it is not their fault",
    async (method) => {
      const { bouncer, broken, clock, enter, failures } = open({
        logins: { max: 1 },
        rateLimits: { perUser: { burst: 99, perMs: 1_000 } },
      });
      const guest = enter({ user: "ann", session: "s0" });
      await clock.settle();
      broken.add(method);
      const told = await enter({ user: "ann", session: "s1" }).end;
      expect(told).toMatchObject({ reason: "maintenance", message: "temporarily unavailable" });
      expect(failures).toEqual(["the store failed at the door: Error: store down"]);
      expect([bouncer.count(), guest.told]).toEqual([1, undefined]); // who is inside stays inside
      broken.clear();
      const next = enter({ user: "ann", session: "s1" });
      await clock.settle();
      expect(next.entered).toBe(true);
    },
  );

  test("to forget what is said once does not let in", async () => {
    const { bouncer, broken, clock, enter, failures } = open();
    const below = createFakeStream();
    enter({ user: "ann", session: "s1", below });
    await clock.settle();
    await bouncer.kick({ user: "ann" }, {}, { mode: "abort" });
    broken.add("consume");
    expect((await enter({ user: "ann", session: "s1" }).end)?.reason).toBe("maintenance");
    expect(failures).toEqual(["the store failed at the door: Error: store down"]);
    broken.clear();
    expect((await enter({ user: "ann", session: "s1" }).end)?.reason).toBe("kicked");
  });

  test("to remember a lost goodbye is reported, and the verdict is carried out all the same", async () => {
    const { bouncer, broken, clock, enter, failures } = open();
    const below = createFakeStream();
    enter({ user: "ann", session: "s1", below });
    await clock.settle();
    broken.add("restrict");
    const report = bouncer.kick({ user: "ann" });
    await clock.settle();
    below.vanish();
    expect(await report).toMatchObject({ matched: 1, left: 1 });
    expect(failures).toEqual([expect.stringContaining("store down")]);
  });

  test("after a revocation was written still ends the streams", async () => {
    const { bouncer, broken, clock, enter } = open();
    const guest = enter({ user: "ann", epoch: 0 });
    await clock.settle();
    broken.add("epoch");
    await bouncer.revoke("ann").catch(() => {});
    await clock.settle();
    expect(guest.told?.reason).toBe("unauthenticated");
  });

  test("at a logout is reported, and holds nothing up", async () => {
    const { bouncer, broken, clock, enter, failures } = open({ logins: { max: 2 } });
    const guest = enter({ user: "ann", session: "s1" });
    await clock.settle();
    broken.add("logout");
    expect(await bouncer.kick({ user: "ann" })).toMatchObject({ told: 1 });
    expect((await guest.end)?.reason).toBe("kicked");
    await clock.settle();
    expect(failures).toEqual(["the store failed at a logout: Error: store down"]);
    expect(bouncer.count()).toBe(0);
  });

  test("to put out a login's loser is reported; the winner is inside", async () => {
    const { broken, clock, enter, failures } = open({ logins: { max: 1 } });
    enter({ user: "ann", session: "s1" });
    await clock.settle();
    broken.add("record");
    const winner = enter({ user: "ann", session: "s2" });
    await clock.settle();
    expect([winner.entered, winner.told]).toEqual([true, undefined]);
    expect(failures).toEqual(["a session could not be superseded: Error: store down"]);
  });

  test("to put out who has expired is reported", async () => {
    const { broken, clock, enter, failures } = open();
    enter({ user: "ann", expiresAt: new Date(clock.now() + 1_000) });
    await clock.settle();
    broken.add("record");
    await clock.advance(1_000);
    expect(failures).toEqual(["a stream could not be expired: Error: store down"]);
  });

  test("to lift makes lift fail", async () => {
    const { bouncer, broken } = open();
    await bouncer.ban({ user: "ann" });
    broken.add("lift");
    await expect(bouncer.lift({ user: "ann" })).rejects.toBe(down);
    broken.clear();
    expect(await bouncer.lift({ user: "ann" })).toBe(true);
  });
});
