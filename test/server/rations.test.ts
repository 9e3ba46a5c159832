import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LimitError } from "../../src/server/index.js";
import { openVenue, type Venue } from "./venue.js";

const at = (venue: Venue) => venue.clock.now();

/** What each of them was told, or `undefined` for who is inside. */
async function outcomes(venue: Venue, guests: readonly ReturnType<Venue["enter"]>[]) {
  await venue.clock.settle();
  return guests.map(({ entered, told }) => (entered ? undefined : told));
}

describe("a rate limit", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] })); // the limiter has a clock of its own
  afterEach(() => void vi.useRealTimers());

  test("of a user refuses what is too much with `throttled` and the time at which there is more", async () => {
    const venue = openVenue({ rateLimits: { perUser: { burst: 2, perMs: 10_000 } } });
    const enter = () => venue.enter({ user: "ann" });
    const found = await outcomes(venue, [enter(), enter(), enter(), venue.enter({ user: "bob" }), venue.enter({})]);
    expect(found.map((told) => told?.reason)).toEqual([undefined, undefined, "throttled", undefined, undefined]);
    expect(found[2]).toMatchObject({
      message: "too many streams of this user",
      retryAt: new Date(at(venue) + 10_000),
      reserved: undefined,
    });
    vi.setSystemTime(Date.now() + 10_000);
    expect(await outcomes(venue, [enter()])).toEqual([undefined]);
    expect(venue.bouncer.stats().refusals.throttled).toBe(1);
  });

  test("of an address counts all its users together, and those whose address is not known not at all", async () => {
    const addresses = new Map<string, string>();
    const venue = openVenue({
      rateLimits: { perAddress: { burst: 2, perMs: 10_000 } },
      addressOf: ({ header }) => addresses.get(header.get("farewell-session") ?? ""),
    });
    const from = (user: string, address?: string) => {
      const claim = `claim-of-${user}`;
      if (address !== undefined) addresses.set(claim, address);
      return venue.enter({ user, claim });
    };
    const guests = [
      from("ann", "::1"),
      from("bob", "::1"),
      from("cat", "::2"),
      from("dan", "10::"),
      from("eve"),
      from("fay"),
    ];
    const found = await outcomes(venue, guests);
    expect(found.map((told) => told?.message)).toEqual([
      undefined,
      undefined,
      "too many streams from this address",
      undefined,
      undefined,
      undefined,
    ]);
    const untold = "rateLimits.perAddress knows no address: Error: is contextValues set?";
    expect(venue.failures).toEqual([untold]); // once
  });
});

test("who has no credentials is rationed all the same, and costs no identification", async () => {
  let asked = 0;
  const venue = openVenue({
    rateLimits: { perAddress: { burst: 2, perMs: 60_000 } },
    addressOf: () => "192.0.2.1",
    identify: () => {
      asked++;
      throw new ConnectError("who are you?", Code.Unauthenticated);
    },
  });
  const found = await outcomes(
    venue,
    Array.from({ length: 10 }, () => venue.enter({})),
  );
  expect(found.filter((told) => told?.reason === "throttled")).toHaveLength(8);
  expect(asked).toBe(2);
});

test("a bouncer that has no way to reset anything says so, once", async () => {
  const warnings: string[] = [];
  const nowhere = () => {};
  const warn = (_: object, message: string) => void warnings.push(message);
  const venue = openVenue({ logger: { debug: nowhere, info: nowhere, warn, error: nowhere } });
  await outcomes(venue, [venue.enter({ user: "ann" }), venue.enter({ user: "bob" })]);
  expect(warnings).toEqual(["contextValues is not set: nothing can be reset"]);
});

test("who opens streams without end can be banned all the same", async () => {
  const venue = openVenue({ limit: 10 });
  const guests = Array.from({ length: 30 }, () => venue.enter({ user: "eve", tags: ["room"] }));
  await venue.clock.settle();
  await expect(venue.bouncer.kick({ tag: "room" })).rejects.toThrow(LimitError);
  expect(await venue.bouncer.ban({ user: "eve" })).toMatchObject({ matched: 30, told: 30 });
  expect((await Promise.all(guests.map(({ end }) => end))).every((told) => told?.reason === "banned")).toBe(true);
});

describe("a door that takes so many in a second", () => {
  test("gives each that is too many a ticket of its own, and lets them in by it at the first try", async () => {
    for (const acceptPerSecond of [1, 3, 7, 10, 1_000 / 3]) {
      const venue = openVenue({ admission: { acceptPerSecond } });
      const burst = Math.floor(acceptPerSecond);
      const crowd = Array.from({ length: burst + 20 }, (_, index) => venue.enter({ user: `u${index}` }));
      const found = await outcomes(venue, crowd);
      const tickets = found.filter((told) => told !== undefined);
      expect(tickets).toHaveLength(20);
      const times = tickets.map((told) => {
        if (told.reason !== "throttled" || told.retryAt === undefined) throw new Error(`told ${told.reason}`);
        expect(told.reserved).toBe(true);
        return told.retryAt.getTime();
      });
      expect(new Set(times).size).toBe(20);
      const start = at(venue);
      for (const [index, time] of times.entries()) {
        const due = start + ((index + 1) * 1_000) / acceptPerSecond;
        expect(Math.abs(time - due)).toBeLessThan(2 + 1_000 / acceptPerSecond); // one step early or late, no more
        await venue.clock.advance(time - at(venue));
        expect(await outcomes(venue, [venue.enter({ user: `u${burst + index}` })])).toEqual([undefined]);
      }
    }
  });

  test("may take less than one in a second", async () => {
    const venue = openVenue({ admission: { acceptPerSecond: 0.5 } });
    expect(await outcomes(venue, [venue.enter({})])).toEqual([undefined]);
    await venue.clock.advance(1_500);
    const [early] = await outcomes(venue, [venue.enter({})]);
    expect(early).toMatchObject({ reason: "throttled", retryAt: new Date(at(venue) + 500) });
    await venue.clock.advance(500);
    expect(await outcomes(venue, [venue.enter({})])).toEqual([undefined]);
  });

  test("asks nobody who they are before that, for it must be cheap", async () => {
    let asked = 0;
    const venue = openVenue({
      admission: { acceptPerSecond: 1 },
      identify: () => {
        asked++;
        return {};
      },
    });
    await outcomes(
      venue,
      Array.from({ length: 50 }, () => venue.enter({})),
    );
    expect(asked).toBe(1);
  });
});
