import { describe, expect, test } from "vitest";
import { memoryStore, type NewCredentials } from "../../src/server/index.js";
import { attend } from "./attend.js";
import { type Caller, openVenue, type Venue } from "./venue.js";

const claim = "0123456789abcdef";
const minute = 60_000;

/** Times counted from the venue's start. */
function timesOf({ clock }: Venue) {
  const start = clock.now();
  return (ms: number) => new Date(start + ms);
}

async function inside(venue: Venue, caller: Caller) {
  const guest = venue.enter(caller);
  await venue.clock.settle();
  expect(guest.entered).toBe(true);
  return guest;
}

describe("a renewal", () => {
  test("lets a stream outlive the credentials that it was opened with, again and again, until the newest end", async () => {
    const venue = openVenue();
    const { bouncer, clock } = venue;
    const at = timesOf(venue);
    const guest = await inside(venue, { user: "ann", expiresAt: at(minute) });
    for (let count = 1; count <= 5; count++) {
      await clock.advance(minute - 1_000);
      expect(bouncer.renew({ user: "ann" }, { expiresAt: new Date(clock.now() + minute) })).toBe(1);
      expect(clock.sleepers).toBe(1);
    }
    await clock.advance(minute - 1);
    expect(guest.told).toBeUndefined();
    await clock.advance(1);
    expect(await guest.end).toMatchObject({ reason: "unauthenticated", message: "the credentials have expired" });
    expect(clock.sleepers).toBe(0);
  });

  test("means whom its selector means, and gives an end also to who had none", async () => {
    const venue = openVenue();
    const { bouncer, clock } = venue;
    const at = timesOf(venue);
    const [ann, bob] = [
      await inside(venue, { user: "ann" }),
      await inside(venue, { user: "bob", expiresAt: at(5_000) }),
    ];
    expect(bouncer.renew({ user: "ann" }, { issuedAt: at(0), epoch: 0 })).toBe(1);
    expect(bouncer.renew({ user: "ann" }, { issuedAt: at(1_000), expiresAt: at(8_000) })).toBe(1);
    await clock.advance(5_000);
    expect([ann.told, bob.told?.reason]).toEqual([undefined, "unauthenticated"]);
    await clock.advance(3_000);
    expect(ann.told?.reason).toBe("unauthenticated");
  });

  test.each<[string, Partial<Caller>, (at: (ms: number) => Date) => NewCredentials]>([
    ["by its epoch", { epoch: 2 }, (at) => ({ epoch: 1, issuedAt: at(9_000), expiresAt: at(9_000_000) })],
    ["by when they were issued", {}, (at) => ({ issuedAt: at(-1), expiresAt: at(9_000_000) })],
    ["by when they end", {}, (at) => ({ expiresAt: at(minute - 1) })],
  ])("with older credentials than a stream has changes nothing: older %s", async (_, caller, older) => {
    const venue = openVenue();
    const at = timesOf(venue);
    const guest = await inside(venue, { user: "ann", issuedAt: at(0), expiresAt: at(minute), ...caller });
    expect(venue.bouncer.renew({ user: "ann" }, older(at))).toBe(0);
    await venue.clock.advance(minute - 1);
    expect(guest.told).toBeUndefined();
    await venue.clock.advance(1);
    expect(guest.told?.reason).toBe("unauthenticated");
  });

  test("that comes while the end of the old credentials is being recorded spares the stream", async () => {
    const inner = memoryStore();
    let written = () => {};
    const record: typeof inner.record = async (entry) => {
      await new Promise<void>((resolve) => {
        written = resolve;
      });
      return inner.record(entry);
    };
    const venue = openVenue({ store: { ...inner, record } });
    const { bouncer, clock } = venue;
    const at = timesOf(venue);
    const guest = await inside(venue, { user: "ann", expiresAt: at(minute) });
    await clock.advance(minute);
    expect(bouncer.renew({ user: "ann" }, { expiresAt: at(2 * minute) })).toBe(1);
    written();
    await clock.settle();
    expect(guest.told).toBeUndefined();
    await clock.advance(minute);
    written();
    await clock.settle();
    expect(guest.told?.reason).toBe("unauthenticated");
  });

  test("that did not come is not granted by a store that fails: the end is tried again each minute", async () => {
    const inner = memoryStore();
    let down = true;
    const record: typeof inner.record = async (entry) => {
      if (down) throw new Error("the store is down");
      return inner.record(entry);
    };
    const venue = openVenue({ store: { ...inner, record } });
    const { clock } = venue;
    const guest = await inside(venue, { user: "ann", expiresAt: timesOf(venue)(minute) });
    await clock.advance(minute);
    expect(guest.told).toBeUndefined();
    expect(venue.failures).toHaveLength(1);
    await clock.advance(minute + 1);
    expect(venue.failures).toHaveLength(2);
    down = false;
    await clock.advance(minute + 1);
    expect(guest.told?.reason).toBe("unauthenticated");
    expect(clock.sleepers).toBe(0);
  });

  test("of who was put out, or has left, counts for nothing", async () => {
    const venue = openVenue();
    const at = timesOf(venue);
    const [left] = [await inside(venue, { user: "ann" }), await inside(venue, { user: "bob" })];
    left.leave();
    await venue.clock.settle();
    const kick = venue.bouncer.kick({ user: "bob" });
    await venue.clock.settle();
    expect(venue.bouncer.renew({ all: true }, { expiresAt: at(minute) })).toBe(0);
    await kick;
    expect(venue.clock.sleepers).toBe(0);
  });

  test.each<[object, object, string]>([
    [{}, { epoch: 1 }, "selector: expected one of user, session, tag, stream, or all: true"],
    [{ user: "ann" }, {}, "credentials: expected one of epoch, issuedAt, expiresAt"],
    [{ user: "ann" }, { expiresAt: 1 }, "credentials.expiresAt: expected a Date"],
    [{ user: "ann" }, { issuedAt: new Date(Number.NaN) }, "credentials.issuedAt: expected a Date"],
    [{ user: "ann" }, { epoch: -1 }, "credentials.epoch: expected a number of at least 0"],
    [{ user: "ann" }, { user: "bob" }, "credentials.user: unknown"],
  ])("that is wrong is refused by the name of the field: %j, %j", (selector, credentials, message) => {
    const { bouncer } = openVenue();
    expect(() => bouncer.renew(selector, credentials)).toThrow(message);
  });
});

describe("a revocation", () => {
  test.each<[string, (at: (ms: number) => Date) => NewCredentials]>([
    ["an older time of issue", (at) => ({ issuedAt: at(1_000), expiresAt: at(9_000_000) })],
    ["none", (at) => ({ expiresAt: at(9_000_000) })],
  ])("ends streams that were renewed with %s", async (_, renewed) => {
    const venue = openVenue();
    const at = timesOf(venue);
    const guest = await inside(venue, { user: "ann", issuedAt: at(0), expiresAt: at(minute) });
    expect(venue.bouncer.renew({ user: "ann" }, renewed(at))).toBe(1);
    await venue.clock.advance(5_000);
    expect(await venue.bouncer.revoke("ann")).toMatchObject({ matched: 1, told: 1 });
    expect((await guest.end)?.message).toBe("the credentials were revoked");
  });

  test("ends streams whose epoch was not renewed, whatever else was", async () => {
    const venue = openVenue();
    const at = timesOf(venue);
    await inside(venue, { user: "ann", epoch: 0, expiresAt: at(minute) });
    venue.bouncer.renew({ user: "ann" }, { issuedAt: at(3_600_000), expiresAt: at(3_600_000) });
    expect(await venue.bouncer.revoke("ann")).toMatchObject({ matched: 1, told: 1 });
  });

  test("spares streams that were renewed with credentials from after it, while it is being recorded", async () => {
    const inner = memoryStore();
    let written = () => {};
    const record: typeof inner.record = async (entry) => {
      const epoch = await inner.record(entry);
      await new Promise<void>((resolve) => {
        written = resolve;
      });
      return epoch;
    };
    const venue = openVenue({ store: { ...inner, record } });
    const fresh = await inside(venue, { user: "ann", session: "s1", epoch: 0 });
    const old = await inside(venue, { user: "ann", session: "s2", epoch: 0 });
    const revoke = venue.bouncer.revoke("ann");
    await venue.clock.settle();
    expect(venue.bouncer.renew({ session: "s1" }, { epoch: 1 })).toBe(1);
    expect(venue.bouncer.renew({ session: "s2" }, { epoch: 0, issuedAt: new Date(venue.clock.now() + minute) })).toBe(
      1,
    );
    written();
    await revoke;
    await venue.clock.settle();
    expect([fresh.told, old.told?.reason]).toEqual([undefined, "unauthenticated"]);
  });
});

describe("a new control stream", () => {
  test("renews the streams of its session with the credentials that it was let in with", async () => {
    const venue = openVenue();
    const at = timesOf(venue);
    const old = { user: "ann", claim, issuedAt: at(0), expiresAt: at(minute) };
    const streams = [await inside(venue, old), await inside(venue, old)];
    const first = attend(venue, old);
    await venue.clock.advance(minute - 1);
    attend(venue, { ...old, issuedAt: at(minute - 1), expiresAt: at(2 * minute) });
    await venue.clock.advance(minute);
    expect([...streams.map(({ told }) => told), first.ended()]).toEqual([undefined, undefined, false]);
    await venue.clock.advance(1);
    expect(streams.map(({ told }) => told?.reason)).toEqual(["unauthenticated", "unauthenticated"]);
  });

  test.each<[string, Partial<Caller>]>([
    ["of another user, who claims the same name", { user: "eve" }],
    ["of nobody, who claims the same name", { user: undefined }],
    ["of another session", { claim: "another-session" }],
    ["whose credentials are older", { issuedAt: new Date(0) }],
  ])("%s renews nothing", async (_, other) => {
    const venue = openVenue();
    const at = timesOf(venue);
    const old = { user: "ann", claim, issuedAt: at(0), expiresAt: at(minute) };
    const stream = await inside(venue, old);
    const { heard } = attend(venue, { ...old, issuedAt: at(1_000), expiresAt: at(9 * minute), ...other });
    await venue.clock.advance(minute);
    expect(heard[0]).toMatch(/^welcome/);
    expect(stream.told?.reason).toBe("unauthenticated");
  });

  test("that is refused, for its credentials were revoked or have ended, renews nothing", async () => {
    const venue = openVenue();
    const at = timesOf(venue);
    await venue.bouncer.revoke("ann");
    const stream = await inside(venue, { user: "ann", session: "s1", epoch: 1, expiresAt: at(minute) });
    for (const refused of [
      { epoch: 0, expiresAt: at(9 * minute) },
      { epoch: 2, expiresAt: at(0) },
    ]) {
      const { heard, end } = attend(venue, { user: "ann", session: "s1", ...refused });
      expect([(await end)?.reason, heard]).toEqual(["unauthenticated", []]);
    }
    await venue.clock.advance(minute);
    expect(stream.told?.reason).toBe("unauthenticated");
  });

  test("hears the end of its newest credentials ahead, and not of those that were renewed in time", async () => {
    const venue = openVenue({ heartbeatMs: 3_600_000 });
    const at = timesOf(venue);
    const { heard } = attend(venue, { user: "ann", claim, issuedAt: at(0), expiresAt: at(10 * minute) });
    await venue.clock.advance(8 * minute);
    venue.bouncer.renew({ user: "ann" }, { issuedAt: at(8 * minute), expiresAt: at(20 * minute) });
    await venue.clock.advance(11 * minute - 1);
    expect(heard).toHaveLength(1);
    await venue.clock.advance(1);
    expect(heard.slice(1)).toEqual(['notice: unauthenticated "the credentials will expire" in 60 s']);
  });
});
