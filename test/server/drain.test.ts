import { describe, expect, test } from "vitest";
import type { Disconnect } from "../../src/index.js";
import type { DrainProgress } from "../../src/server/index.js";
import { createFakeStream } from "./fake-stream.js";
import { type Caller, type Guest, openVenue, type Venue } from "./venue.js";

/** A room with so many clients, and when each of them went. */
async function crowd(venue: Venue, callers: readonly Caller[]) {
  const guests = callers.map(venue.enter);
  await venue.clock.settle();
  const start = venue.clock.now();
  const wentAfter: number[] = [];
  guests.forEach((guest, index) => {
    void guest.end.then(() => {
      wentAfter[index] = venue.clock.now() - start;
    });
  });
  return { guests, wentAfter, start };
}

const users = (count: number): Caller[] => Array.from({ length: count }, (_, index) => ({ user: `u${index}` }));
const retryOf = ({ told }: Guest) => (told as Disconnect<"maintenance"> | undefined)?.retryAt?.getTime();

describe("a drain", () => {
  test("ends everybody, spread evenly over its time, and reports", async () => {
    const venue = openVenue();
    const { guests, wentAfter } = await crowd(venue, users(10));
    const report = venue.bouncer.drain({ overMs: 60_000, message: "Deploying" });
    await venue.clock.advance(60_000);
    expect(await report).toMatchObject({ matched: 10, told: 10, forced: 0, left: 0, failed: 0 });
    expect(wentAfter).toEqual(Array.from({ length: 10 }, (_, index) => index * 6_000));
    for (const guest of guests) expect(guest.told).toMatchObject({ reason: "maintenance", message: "Deploying" });
    expect(venue.clock.sleepers).toBe(0);
    expect(venue.bouncer.stats()).toMatchObject({ draining: true, inside: { streams: 0 } });
  });

  test("with no time to spread over ends everybody at once; with nobody inside it is over at once", async () => {
    const venue = openVenue();
    const { wentAfter } = await crowd(venue, users(3));
    expect(await venue.bouncer.drain()).toMatchObject({ matched: 3, told: 3 });
    await venue.clock.settle();
    expect(wentAfter).toEqual([0, 0, 0]);
    expect(await openVenue().bouncer.drain({ overMs: 60_000 })).toMatchObject({ matched: 0 });
  });

  test("gives each client a slot of its own for its return, and none before the service is back", async () => {
    const venue = openVenue();
    const { guests, start } = await crowd(venue, users(8));
    const backAt = new Date(start + 30_000);
    await venue.bouncer.drain({ backAt, returnPerSecond: 4 });
    await venue.clock.settle();
    const slots = guests.map(retryOf);
    expect(slots).toEqual(Array.from({ length: 8 }, (_, index) => start + 30_000 + index * 250));
    for (const { told } of guests) expect(told).toMatchObject({ reserved: true });
  });

  test("refuses newcomers, each with a slot that nobody else has", async () => {
    const venue = openVenue();
    const { guests, start } = await crowd(venue, users(4));
    await venue.bouncer.drain({ backAt: new Date(start + 30_000), returnPerSecond: 10, message: "Deploying" });
    const late = users(40).map(venue.enter);
    await venue.clock.settle();
    for (const { entered, told } of late) {
      expect([entered, told]).toEqual([
        false,
        expect.objectContaining({ reason: "maintenance", message: "Deploying", reserved: true }),
      ]);
    }
    const slots = [...guests, ...late].map(retryOf);
    expect(new Set(slots).size).toBe(44);
    expect(Math.min(...slots.map(Number))).toBeGreaterThanOrEqual(start + 30_000);
    expect(venue.bouncer.count()).toBe(0);
  });

  test("keeps its slots from newcomers that knock without end, and gives none once it is back", async () => {
    const venue = openVenue();
    const { start } = await crowd(venue, users(4));
    const back = start + 30_000;
    await venue.bouncer.drain({ backAt: new Date(back), returnPerSecond: 10 });
    const late = users(700).map(venue.enter);
    await venue.clock.settle();
    const times = late.map(retryOf).map(Number);
    expect(Math.max(...times)).toBeLessThanOrEqual(back + 60_000); // six hundred slots
    expect(late.at(-1)?.told).toMatchObject({ retryAt: new Date(back), reserved: undefined });
    await venue.clock.advance(30_000);
    expect((await venue.enter({}).end) satisfies Disconnect | undefined).toMatchObject({ retryAt: undefined });
  });

  test("ends all streams of a session together and with one slot, for it knocks once", async () => {
    const venue = openVenue();
    const session = (user: string, name: string): Caller => ({ user, session: name });
    const callers = [
      session("ann", "s1"),
      session("bob", "s2"),
      session("ann", "s1"),
      session("eve", "s1"),
      { user: "ann" },
    ];
    const { guests, wentAfter, start } = await crowd(venue, callers);
    const report = venue.bouncer.drain({ overMs: 4_000, backAt: new Date(start + 60_000), returnPerSecond: 1 });
    await venue.clock.advance(4_000);
    expect(await report).toMatchObject({ matched: 5, told: 5 });
    expect(wentAfter).toEqual([0, 1_000, 0, 2_000, 3_000]); // the same name of another user's is another session
    const [first, , second, ...others] = guests.map(retryOf);
    expect(second).toBe(first);
    expect(new Set([first, ...others]).size).toBe(3);
  });

  test("catches who is on the way in when it begins", async () => {
    let known = () => {};
    const venue = openVenue({
      identified: () =>
        new Promise<void>((resolve) => {
          known = resolve;
        }),
    });
    const guest = venue.enter({ user: "ann" });
    await venue.clock.settle();
    await venue.bouncer.drain();
    known();
    expect((await guest.end)?.reason).toBe("maintenance");
  });

  test("counts who left meanwhile, and resets who does not go", async () => {
    const venue = openVenue();
    const stuck = createFakeStream();
    await crowd(venue, [{ user: "ann", below: stuck }]);
    const { guests } = await crowd(venue, users(2));
    const report = venue.bouncer.drain({ overMs: 3_000, forceAfterMs: 5_000 });
    guests[1]?.leave();
    await venue.clock.advance(4_999);
    expect(stuck.resets).toBe(0);
    await venue.clock.advance(1);
    expect(await report).toMatchObject({ matched: 3, told: 1, forced: 1, left: 1 });
    expect(venue.clock.sleepers).toBe(0);
  });

  test("tells how far it is, at its start, about every second, and at its end", async () => {
    const venue = openVenue();
    await crowd(venue, users(10));
    const steps: DrainProgress[] = [];
    const report = venue.bouncer.drain({ overMs: 5_000, onProgress: (step) => steps.push(step) });
    await venue.clock.settle();
    expect(venue.bouncer.stats().drain).toMatchObject({ total: 10, done: false });
    await venue.clock.advance(5_000);
    await report;
    expect(steps[0]).toMatchObject({ total: 10, inside: 10, leftMs: 5_000, done: false });
    expect(steps.length).toBeGreaterThanOrEqual(5);
    expect(steps.length).toBeLessThanOrEqual(8);
    for (const [
      index,
      {
        inside,
        report: { matched },
      },
    ] of steps.entries()) {
      expect(inside).toBeLessThanOrEqual(steps[index - 1]?.inside ?? 10);
      expect(matched).toBeGreaterThanOrEqual(steps[index - 1]?.report.matched ?? 0);
    }
    expect(steps.at(-1)).toMatchObject({ total: 10, inside: 0, done: true, report: await report });
    expect(steps.filter(({ done }) => done)).toHaveLength(1);
  });

  test("goes on if who wants to know how far it is throws", async () => {
    const venue = openVenue();
    await crowd(venue, users(2));
    const onProgress = () => {
      throw new Error("mine");
    };
    expect(await venue.bouncer.drain({ onProgress })).toMatchObject({ told: 2 });
    expect(venue.failures).toContain("onProgress failed: Error: mine");
  });

  test("ends nobody if it cannot be recorded, and leaves the door open", async () => {
    const venue = openVenue();
    await crowd(venue, users(1));
    await expect(venue.bouncer.drain({ overMs: -1 })).rejects.toThrow("options.overMs");
    await expect(venue.bouncer.drain({ signal: 5 as unknown as AbortSignal })).rejects.toThrow("options.signal");
    const guest = venue.enter({ user: "late" });
    await venue.clock.settle();
    expect([guest.entered, venue.bouncer.count()]).toEqual([true, 2]);
  });
});

describe("a drain that is called off", () => {
  test("ends nobody else, opens the door again, and another may follow", async () => {
    const venue = openVenue();
    const { guests } = await crowd(venue, users(10));
    const off = new AbortController();
    const report = venue.bouncer.drain({ overMs: 10_000, signal: off.signal });
    await venue.clock.advance(2_500);
    off.abort();
    expect(await report).toMatchObject({ matched: 3, told: 3 });
    expect(guests.filter(({ told }) => told === undefined)).toHaveLength(7);
    const late = venue.enter({ user: "late" });
    await venue.clock.advance(60_000);
    expect([late.entered, venue.bouncer.count(), venue.bouncer.stats().draining]).toEqual([true, 8, false]);
    expect(venue.clock.sleepers).toBe(0);
    expect(await venue.bouncer.drain()).toMatchObject({ matched: 8, told: 8 });
  });

  test("after it has ended opens the door all the same", async () => {
    const venue = openVenue();
    const off = new AbortController();
    await venue.bouncer.drain({ signal: off.signal });
    expect((await venue.enter({ user: "ann" }).end)?.reason).toBe("maintenance");
    off.abort();
    const guest = venue.enter({ user: "ann" });
    await venue.clock.settle();
    expect(guest.entered).toBe(true);
  });

  test("before it began does nothing", async () => {
    const venue = openVenue();
    const { guests } = await crowd(venue, users(1));
    await venue.bouncer.drain({ signal: AbortSignal.abort() }).catch(() => {});
    expect([guests[0]?.told, venue.bouncer.stats().draining]).toEqual([undefined, false]);
  });
});

test("a second drain is refused, and does not disturb the first", async () => {
  const venue = openVenue();
  await crowd(venue, users(2));
  const first = venue.bouncer.drain({ overMs: 10_000 });
  await expect(venue.bouncer.drain()).rejects.toThrow("already under way");
  await venue.clock.advance(10_000);
  expect(await first).toMatchObject({ told: 2 });
  await expect(venue.bouncer.drain()).rejects.toThrow("already under way");
  expect(venue.bouncer.stats().verdicts.maintenance).toBe(1);
});
