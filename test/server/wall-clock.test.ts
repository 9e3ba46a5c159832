import { afterEach, describe, expect, test, vi } from "vitest";
import type { Disconnect } from "../../src/index.js";
import { memoryStore } from "../../src/server/index.js";
import { createFakeStream } from "./fake-stream.js";
import { type Caller, openVenue, type Venue } from "./venue.js";

// People and NTP set the wall clock. Durations go on; dates are where they are.

const hour = 3_600_000;
const minute = 60_000;

afterEach(() => void vi.useRealTimers());

const set = ({ clock }: Venue, byMs: number) => clock.setWallClock(clock.now() + byMs);

async function knock({ clock, enter }: Venue, caller: Caller) {
  const guest = enter(caller);
  await clock.settle();
  return guest.told?.reason ?? (guest.entered ? "inside" : "nowhere");
}

describe.each([
  ["back", -hour],
  ["forth", hour],
])("when the wall clock is set %s by an hour,", (way, byMs) => {
  test("a door that is shut opens again when it would have, and gives out times in between", async () => {
    const venue = openVenue({ admission: { acceptPerSecond: 1 } });
    expect([await knock(venue, {}), await knock(venue, {})]).toEqual(["inside", "throttled"]);
    set(venue, byMs);
    const guest = venue.enter({});
    const { retryAt } = (await guest.end) as Disconnect<"throttled">;
    expect(Number(retryAt) - venue.clock.now()).toBeLessThanOrEqual(3_000);
    await venue.clock.advance(1_000);
    expect(await knock(venue, {})).toBe("inside");
  });

  test("a budget that is used up is there again when it would have been, and says so", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.UTC(2030, 0, 1) });
    const { take } = memoryStore();
    const limit = { burst: 1, perMs: 10_000 };
    await take(limit, "ann");
    await take(limit, "ann");
    vi.setSystemTime(Date.now() + byMs);
    expect((await take(limit, "ann")) ?? 0).toBeLessThanOrEqual(10_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await take(limit, "bob")).toBeUndefined();
    vi.setSystemTime(Date.now() + byMs);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await take(limit, "ann")).toBeUndefined();
  });

  test("a drain is over in its time, and each client is told of the same moment", async () => {
    const venue = openVenue();
    const guests = ["a", "b", "c", "d"].map((user) => venue.enter({ user }));
    await venue.clock.settle();
    const waits: number[] = [];
    for (const { end } of guests) {
      void end.then((told) => waits.push(Number((told as Disconnect<"maintenance">).retryAt) - venue.clock.now()));
    }
    const start = venue.clock.monotonic();
    const backAt = new Date(venue.clock.now() + minute);
    const report = venue.bouncer.drain({ overMs: 8_000, backAt, returnPerSecond: 1 });
    await venue.clock.advance(3_000);
    set(venue, byMs);
    await venue.clock.advance(1_000);
    expect(venue.bouncer.stats().drain).toMatchObject({ leftMs: 4_000 });
    await venue.clock.advance(2_000);
    expect([await report, venue.clock.monotonic() - start]).toMatchObject([{ told: 4 }, 6_000]);
    // One second apart from the minute on, less what has passed: 0, 2, 4 and 6 s.
    expect(waits).toEqual([60_000, 59_000, 58_000, 57_000]);
    const late = (await venue.enter({}).end) as Disconnect<"maintenance">;
    expect(Number(late.retryAt) - venue.clock.now()).toBe(58_000);
  });

  test("a stream that does not end is forced in its time", async () => {
    const venue = openVenue({ forceAfterMs: 2_000 });
    const below = createFakeStream();
    venue.enter({ user: "ann", below });
    await venue.clock.settle();
    void venue.bouncer.kick({ user: "ann" });
    await venue.clock.advance(1_000);
    set(venue, byMs);
    await venue.clock.advance(999);
    expect(below.resets).toBe(0);
    await venue.clock.advance(1);
    expect(below.resets).toBe(1);
  });

  test("a hold is over in its time at the latest, also at another bouncer", async () => {
    const store = memoryStore();
    const [here, there] = [openVenue({ store }), openVenue({ store })];
    await here.bouncer.kick({ user: "ann" }, {}, { holdMs: 10_000 });
    await there.clock.settle();
    for (const venue of [here, there]) expect(await knock(venue, { user: "ann" })).toBe("kicked");
    for (const venue of [here, there]) {
      set(venue, byMs);
      await venue.clock.advance(10_000);
      expect(await knock(venue, { user: "ann" })).toBe("inside");
    }
  });

  test("who left a short while ago is still known, and who left long ago is not", async () => {
    const venue = openVenue();
    const guest = venue.enter({ user: "ann" });
    await venue.clock.settle();
    guest.leave();
    await venue.clock.settle();
    set(venue, byMs);
    const options = { holdMs: 2 * minute, dryRun: true };
    expect(await venue.bouncer.kick({ user: "ann" }, {}, options)).toMatchObject({ matched: 1 });
    await venue.clock.advance(minute);
    expect(await venue.bouncer.kick({ user: "ann" }, {}, options)).toMatchObject({ matched: 0 });
  });

  test("a ban, and the end of credentials, are where their dates are", async () => {
    const venue = openVenue();
    const until = new Date(venue.clock.now() + 2 * hour);
    await venue.bouncer.ban({ user: "eve" }, { until });
    const ann = venue.enter({ user: "ann", expiresAt: until });
    await venue.clock.advance(hour / 2);
    set(venue, byMs);
    const leftMs = until.getTime() - venue.clock.now();
    expect(leftMs).toBe(way === "back" ? 2.5 * hour : hour / 2);
    await venue.clock.advance(leftMs - minute);
    expect([await knock(venue, { user: "eve" }), ann.told]).toEqual(["banned", undefined]);
    await venue.clock.advance(2 * minute); // a date is looked at once a minute
    expect([await knock(venue, { user: "eve" }), ann.told?.reason]).toEqual(["inside", "unauthenticated"]);
  });
});
