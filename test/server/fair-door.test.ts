import { describe, expect, test } from "vitest";
import { createAcceptor } from "../../src/server/admission/accept.js";
import { createShares } from "../../src/server/admission/shares.js";
import { type BouncerOptions, toConnectError } from "../../src/server/index.js";
import { createChance } from "./slow-store.js";
import { openVenue, type Venue } from "./venue.js";

// What a server takes in a second is there for all addresses, and not for the one that knocks most.

type Open = Partial<BouncerOptions> & { readonly identifyMs?: number };

/** Clients have the address that they claim as their session's name. Who has `flood` in it has no credentials. */
function open({ identifyMs = 0, ...options }: Open = {}): Venue {
  const venue: Venue = openVenue({
    addressOf: ({ header }) => header.get("farewell-session") ?? undefined,
    identify: async ({ header }) => {
      if (identifyMs > 0) await venue.clock.sleep(identifyMs);
      const address = header.get("farewell-session") ?? "";
      if (address.includes("flood")) throw toConnectError({ reason: "unauthenticated" });
      return { user: address };
    },
    ...options,
  });
  return venue;
}

/** Knocks from an address, and tells what came of it. The stream is not kept. */
async function knock({ clock, enter }: Venue, address: string): Promise<string> {
  const guest = enter({ claim: address });
  await clock.settle();
  const found = guest.entered ? "in" : (guest.told?.reason ?? "nowhere");
  guest.leave();
  return found;
}

/** Calls from one address, 40 in a second, until the returned function is called. */
function flood(venue: Venue, address: string | (() => string)): () => void {
  let stopped = false;
  const attack = async () => {
    while (!stopped) {
      for (let call = 0; call < 8; call++) {
        const guest = venue.enter({ claim: typeof address === "string" ? address : address() });
        void guest.decided.then(() => guest.leave());
      }
      await venue.clock.sleep(200);
    }
  };
  void attack();
  return () => {
    stopped = true;
  };
}

/** Ten clients of ten addresses, two in a second. */
async function visitors(venue: Venue): Promise<readonly string[]> {
  const found: string[] = [];
  for (let count = 0; count < 10; count++) {
    found.push(await knock(venue, `visitor-${count}`));
    await venue.clock.advance(500);
  }
  return found;
}

/** The same, where it takes the server a while to see who they are. */
async function patientVisitors(venue: Venue): Promise<readonly string[]> {
  const found: string[] = [];
  for (let count = 0; count < 10; count++) {
    const guest = venue.enter({ claim: `visitor-${count}` });
    await venue.clock.advance(500);
    found.push(guest.entered ? "in" : (guest.told?.reason ?? "nowhere"));
    guest.leave();
  }
  return found;
}

const everybody = Array.from({ length: 10 }, () => "in");

describe.each<[string, Open]>([
  ["without any other limit", {}],
  ["with a budget for each address", { rateLimits: { perAddress: { burst: 5, perMs: 1_000 } } }],
])("40 calls a second of one address, %s,", (_, options) => {
  test("shut the door for nobody else, with credentials", async () => {
    const venue = open({ admission: { acceptPerSecond: 4 }, ...options });
    const stop = flood(venue, "greedy-one");
    await venue.clock.advance(1_000);
    expect(await visitors(venue)).toEqual(everybody);
    stop();
    await venue.clock.advance(200);
  });

  test.each([0, 50])("shut it for nobody else without credentials, if to see that takes %i ms", async (identifyMs) => {
    const venue = open({ admission: { acceptPerSecond: 4 }, identifyMs, ...options });
    const stop = flood(venue, "flood-one");
    await venue.clock.advance(1_000);
    expect(await patientVisitors(venue)).toEqual(everybody);
    stop();
    await venue.clock.advance(500);
  });
});

test("a hundred addresses without credentials that knock in turn shut the door for nobody else", async () => {
  const venue = open({ admission: { acceptPerSecond: 4 }, identifyMs: 50 });
  let calls = 0;
  const stop = flood(venue, () => `flood-${calls++ % 100}`);
  await venue.clock.advance(5_000);
  expect(await patientVisitors(venue)).toEqual(everybody);
  stop();
  await venue.clock.advance(500);
});

test("who is refused has used up nothing of what is there for all: no credentials, a ban, a budget of its own", async () => {
  const venue = open({
    admission: { acceptPerSecond: 4 },
    addressOf: () => undefined,
    rateLimits: { perUser: { burst: 1, perMs: 60_000 } },
  });
  await venue.bouncer.ban({ user: "banned-one" });
  expect(await knock(venue, "visitor-0")).toBe("in");
  for (let count = 0; count < 50; count++) {
    expect(await knock(venue, "flood-one")).toBe("unauthenticated");
    expect(await knock(venue, "banned-one")).toBe(count === 0 ? "banned" : "throttled");
    expect(await knock(venue, "visitor-0")).toBe("throttled");
  }
  for (let count = 1; count < 4; count++) expect(await knock(venue, `visitor-${count}`)).toBe("in");
  expect(await knock(venue, "visitor-4")).toBe("throttled");
});

describe("what a server takes in a second", () => {
  const run = (addresses: number, perSecond: number, seconds: number) => {
    const chance = createChance(20_300_101);
    const acceptor = createAcceptor(perSecond, 60_000, 0);
    const got = new Map<string, number>();
    for (let ms = 0; ms < seconds * 1_000; ms += 10) {
      const first = Math.floor(chance() * addresses);
      for (let index = 0; index < addresses; index++) {
        const address = `a${(index + first) % addresses}`;
        if (!acceptor.take(ms, 0.5, address)) got.set(address, (got.get(address) ?? 0) + 1);
      }
    }
    return [...got.values()];
  };

  test("is all of it for one address alone", () => {
    for (const perSecond of [1, 4, 10, 100]) {
      const [got = 0] = run(1, perSecond, 20);
      expect(got).toBeGreaterThanOrEqual(20 * perSecond - 1);
      expect(got).toBeLessThanOrEqual(21 * perSecond);
    }
  });

  test("is shared by those who want more, also by a thousand", () => {
    for (const [addresses, perSecond] of [
      [2, 10],
      [10, 100],
      [1_000, 100],
    ] as const) {
      const got = run(addresses, perSecond, 10);
      const all = got.reduce((sum, one) => sum + one, 0);
      expect(all).toBeGreaterThan(9 * perSecond);
      expect(all).toBeLessThanOrEqual(11 * perSecond);
      const share = all / addresses;
      if (share >= 10) for (const one of got) expect(Math.abs(one - share)).toBeLessThan(share / 5);
      else expect(Math.max(...got)).toBeLessThanOrEqual(4 * share);
    }
  });

  test("is there at the time that an address was promised, though it has had more than others", () => {
    for (const perSecond of [4, 10, 100]) {
      const acceptor = createAcceptor(perSecond, 60_000, 0);
      const tickets = Array.from({ length: 5 * perSecond }, () => acceptor.take(0, 0.5, "office"));
      const promised = tickets.filter((ticket) => ticket !== undefined);
      expect(promised.length).toBeGreaterThanOrEqual(4 * perSecond);
      expect(promised.every(({ reserved }) => reserved)).toBe(true);
      for (const { at } of promised) expect(acceptor.take(at, 0.5, "office")).toBeUndefined();
    }
  });

  test("is promised ahead to no address without end, and to none whose calls were nobody's", () => {
    const acceptor = createAcceptor(10, 60_000, 0);
    const tickets = Array.from({ length: 2_000 }, () => acceptor.take(0, 0.5, "greedy"));
    const reserved = tickets.filter((ticket) => ticket?.reserved);
    expect(reserved.length).toBeLessThan(460); // of six hundred
    const crowd = Array.from({ length: 50 }, (_, index) => acceptor.take(0, 0.5, `a${index}`));
    expect(crowd.slice(10).every((ticket) => ticket?.reserved)).toBe(true);
    acceptor.giveBack(0, "blamed", true);
    for (let count = 0; count < 10; count++) acceptor.take(1, 0.5, `b${count}`);
    expect(acceptor.take(1, 0.5, "blamed")).toMatchObject({ reserved: false });
    expect(acceptor.take(1, 0.5, "other")).toMatchObject({ reserved: true });
  });

  test("is given back no more than there was", () => {
    const acceptor = createAcceptor(4, 60_000, 0);
    for (let count = 0; count < 100; count++) acceptor.giveBack(0, undefined, false);
    const got = Array.from({ length: 10 }, () => acceptor.take(0, 0.5)).filter((ticket) => ticket === undefined);
    expect(got).toHaveLength(4);
  });
});

/** When the last of so many users behind one address is in, who come again at the time that they are told. */
function lastIn(users: number, perSecond: number, strangerEveryMs?: number): number {
  const acceptor = createAcceptor(perSecond, 60_000, 0);
  const due = Array.from({ length: users }, () => 0);
  const late = Array.from({ length: users }, (_, index) => index / users);
  let inside = 0;
  for (let now = 0; now < 3_600_000; now += 10) {
    const knocks = strangerEveryMs !== undefined && now % strangerEveryMs === 0;
    if (knocks && !acceptor.take(now, 0.5, "office")) acceptor.giveBack(now, "office", true);
    for (const [user, at] of due.entries()) {
      if (at > now) continue;
      const ticket = acceptor.take(now, late[user] ?? 0, "office");
      due[user] = ticket ? ticket.at : Number.POSITIVE_INFINITY;
      if (!ticket && ++inside === users) return now;
    }
  }
  return Number.POSITIVE_INFINITY;
}

test.each([
  [50, 1_000],
  [10, 1_000],
  [4, 1_000],
])("one whose token has run out keeps nobody out who shares its address, of %i a second", (perSecond, everyMs) => {
  const alone = lastIn(500, perSecond);
  expect(lastIn(500, perSecond, everyMs)).toBeLessThan(1.5 * alone);
});

describe("the shares of addresses", () => {
  test("are kept for 100,000 at most: a million addresses push out who came least lately, and that only forgives", () => {
    const shares = createShares(4, 1_000);
    for (let count = 0; count < 10; count++) shares.take("greedy", 0);
    expect(shares.mayTake("greedy", 3, 0)).toBe(false);
    for (let count = 0; count < 49_000; count++) shares.blame(`10.0.${count}`, 0);
    expect(shares.mayTake("greedy", 3, 0)).toBe(false);
    for (let count = 0; count < 60_000; count++) shares.blame(`10.1.${count}`, 0);
    expect(shares.mayTake("greedy", 3, 0)).toBe(true);
  });

  test("are forgotten with time", () => {
    const shares = createShares(4, 1_000);
    shares.take("ann", 0);
    expect(shares.mayTake("ann", 1, 0)).toBe(false);
    expect(shares.mayTake("ann", 1, 3_100)).toBe(true);
    shares.take("bob", 0);
    shares.blame("bob", 0);
    expect(shares.mayTake("bob", 1, 59_999)).toBe(false);
    expect(shares.mayTake("bob", 1, 60_000)).toBe(true);
  });
});
