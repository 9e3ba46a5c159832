import { beforeEach, describe, expect, test } from "vitest";
import { memoryStore, verdictOf } from "../../src/server/index.js";
import { createFakeStream } from "./fake-stream.js";
import { createChance, createPause, createSlowStore } from "./slow-store.js";
import { openVenue, type Venue } from "./venue.js";

// Two bouncers that share a store behave as two servers do.

let here: Venue;
let there: Venue;

function open(options: Parameters<typeof openVenue>[0] = {}): void {
  const store = memoryStore();
  here = openVenue({ store, ...options });
  there = openVenue({ store, ...options });
}

beforeEach(() => open());

const settle = async () => {
  await here.clock.settle();
  await there.clock.settle();
};

describe("a verdict of one bouncer", () => {
  test.each(["kick", "ban", "supersede", "expire", "throttle"] as const)(
    "(%s) reaches the streams of the other",
    async (kind) => {
      const guests = [here.enter({ user: "ann" }), there.enter({ user: "ann" })];
      const bob = there.enter({ user: "bob" });
      await settle();
      const report = await here.bouncer[kind]({ user: "ann" }, { message: "Bye" });
      expect(report).toMatchObject({ matched: 1, told: 1 }); // its own
      const [mine, theirs] = await Promise.all(guests.map(({ end }) => end));
      expect(theirs?.reason).toBe(mine?.reason);
      expect(theirs?.message).toBe("Bye");
      await settle();
      expect(verdictOf(there.reasons[0])?.id).toBe(report.verdict);
      expect(there.bouncer.stats().endings.told).toBe(1);
      expect(bob.told).toBeUndefined();
    },
  );

  test("by abort is one there, too", async () => {
    const guest = there.enter({ user: "ann" });
    await settle();
    const kick = here.bouncer.kick({ user: "ann" }, {}, { mode: "abort" });
    await settle();
    await there.clock.advance(5_000);
    expect(await kick).toMatchObject({ matched: 0 });
    expect(there.bouncer.stats().endings.told).toBe(1); // in memory there is nothing to cut by
    expect(guest.told?.reason).toBe("kicked");
  });

  test("that drains it leaves the other alone", async () => {
    const guests = [here.enter({ user: "ann" }), there.enter({ user: "bob" })];
    await settle();
    expect(await here.bouncer.drain()).toMatchObject({ matched: 1, told: 1 });
    await settle();
    expect(guests[1]?.told).toBeUndefined();
    expect(there.bouncer.stats()).toMatchObject({ draining: false, inside: { streams: 1 } });
  });

  test("keeps a banned client out of the other, until it is lifted by either", async () => {
    await here.bouncer.ban({ user: "ann" });
    expect((await there.enter({ user: "ann" }).end)?.reason).toBe("banned");
    expect(await there.bouncer.lift({ user: "ann" })).toBe(true);
    const guest = here.enter({ user: "ann" });
    await settle();
    expect(guest.entered).toBe(true);
  });

  test("revokes tokens at both: streams end, the epoch is one", async () => {
    const old = there.enter({ user: "ann", epoch: 0 });
    await settle();
    expect((await here.bouncer.revoke("ann")).epoch).toBe(1);
    expect((await old.end)?.reason).toBe("unauthenticated");
    expect(await there.bouncer.epoch("ann")).toBe(1);
    expect((await there.enter({ user: "ann", epoch: 0 }).end)?.reason).toBe("unauthenticated");
    const fresh = there.enter({ user: "ann", epoch: 1 });
    await settle();
    expect(fresh.entered).toBe(true);
    expect((await there.bouncer.revoke("ann")).epoch).toBe(2);
  });

  test("is carried out once by each, and not handed back and forth", async () => {
    there.enter({ user: "ann" });
    await settle();
    await here.bouncer.kick({ user: "ann" });
    await settle();
    expect(here.bouncer.stats().verdicts.kicked).toBe(1);
    expect(there.bouncer.stats().verdicts.kicked).toBe(0); // it did not decide
    expect(there.bouncer.stats().endings.told).toBe(1);
  });

  test("does not reach a bouncer that was closed", async () => {
    const guest = there.enter({ user: "ann" });
    await settle();
    there.bouncer.close();
    await here.bouncer.kick({ user: "ann" });
    await settle();
    expect(guest.told).toBeUndefined();
  });

  test("catches a client on its way into the other", async () => {
    let known = () => {};
    open({
      identified: () =>
        new Promise<void>((resolve) => {
          known = resolve;
        }),
    });
    const guest = there.enter({ user: "ann" });
    await settle();
    await here.bouncer.kick({ user: "ann" });
    known();
    expect((await guest.end)?.reason).toBe("kicked");
  });

  test("that was written while a client came in is seen, even if the word of it is lost on the way", async () => {
    const inner = memoryStore();
    here = openVenue({ store: inner });
    let asked = 0;
    there = openVenue({
      store: {
        ...inner,
        subscribe: () => () => {}, // such as a broken connection
        async restrictions(keys, now) {
          const restrictions = await inner.restrictions(keys, now);
          if (++asked === 1) await here.bouncer.ban({ user: "ann" });
          return restrictions;
        },
      },
    });
    const guest = there.enter({ user: "ann" });
    await settle();
    expect(guest.told?.reason).toBe("banned");
    expect(there.bouncer.count()).toBe(0);
  });

  test("is told at the door by the other, too, if the goodbye was lost there", async () => {
    const below = createFakeStream();
    there.enter({ user: "ann", session: "s1", below });
    await settle();
    await here.bouncer.kick({ user: "ann" });
    await settle();
    below.vanish(); // before it was told
    await settle();
    const again = there.enter({ user: "ann", session: "s1" });
    await settle();
    expect(again.told?.reason).toBe("kicked");
  });
});

describe("a login at one bouncer", () => {
  test("puts out the one before at the other, and the loser gets in at neither", async () => {
    open({ logins: { max: 1 } });
    const first = here.enter({ user: "ann", session: "s1" });
    await settle();
    const second = there.enter({ user: "ann", session: "s2", label: "iPad" });
    expect(await first.end).toMatchObject({ reason: "superseded", by: "iPad" });
    for (const venue of [here, there]) {
      expect((await venue.enter({ user: "ann", session: "s1" }).end)?.reason).toBe("superseded");
    }
    expect(second.told).toBeUndefined();
  });

  test("holds while the loser's stream at the other is still on its way out", async () => {
    open({ logins: { max: 1 } });
    here.enter({ user: "ann", session: "s1", below: createFakeStream() });
    await settle();
    there.enter({ user: "ann", session: "s2" });
    await settle();
    const again = here.enter({ user: "ann", session: "s1" });
    await settle();
    expect(again.told?.reason).toBe("superseded");
  });
});

test("500 clients that are put out by one while they come in at the other: none survives", async () => {
  const chance = createChance(7);
  const pause = createPause(chance);
  const inner = memoryStore();
  const store = createSlowStore(inner, pause);
  here = openVenue({ store, identified: pause });
  there = openVenue({ store, identified: pause });
  const reasons: unknown[] = [];
  const run = async (index: number) => {
    const user = `u${index}`;
    const guest = there.enter({ user, epoch: 0 });
    for (let left = Math.floor(chance() * 12); left > 0; left--) await pause();
    const kind = (["kick", "ban", "revoke"] as const)[index % 3];
    await (kind === "revoke" ? here.bouncer.revoke(user) : here.bouncer[kind ?? "kick"]({ user }));
    await guest.decided;
    for (let left = 20; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
    reasons.push(guest.told?.reason);
  };
  await Promise.all(Array.from({ length: 500 }, (_, index) => run(index)));
  expect(reasons).not.toContain(undefined);
  expect(there.bouncer.count()).toBe(0);
});
