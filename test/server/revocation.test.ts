import { describe, expect, test } from "vitest";
import { memoryStore } from "../../src/server/index.js";
import { openVenue } from "./venue.js";

const revoked = { reason: "unauthenticated", message: "the credentials were revoked" };

describe("revoking all of a user's tokens", () => {
  test("ends the streams that were opened with one, and refuses the tokens from then on", async () => {
    const { bouncer, clock, enter } = openVenue();
    const token = { user: "ann", epoch: await bouncer.epoch("ann") };
    const guests = [enter(token), enter({ user: "ann", issuedAt: new Date(clock.now() - 5_000) })];
    const bob = enter({ user: "bob", epoch: 0 });
    await clock.settle();
    expect(await bouncer.revoke("ann")).toMatchObject({ matched: 2, told: 2, epoch: 1 });
    for (const guest of guests) expect(await guest.end).toMatchObject(revoked);
    expect(await enter(token).end).toMatchObject(revoked);
    expect(bob.told).toBeUndefined();
    const fresh = enter({ user: "ann", epoch: await bouncer.epoch("ann") });
    await clock.settle();
    expect([fresh.entered, fresh.told]).toEqual([true, undefined]);
  });

  test("catches a login that raced it: its epoch was read before, its token was issued after", async () => {
    const { bouncer, clock, enter } = openVenue();
    const epoch = await bouncer.epoch("ann"); // the password is being checked …
    await bouncer.revoke("ann");
    await clock.advance(5_000);
    const token = { user: "ann", epoch, issuedAt: new Date(clock.now()) }; // … and was right
    expect(await enter(token).end).toMatchObject(revoked);
  });

  test("spares a token that was issued after it, even while it is still being carried out", async () => {
    const inner = memoryStore();
    let written = () => {};
    const { bouncer, clock, enter } = openVenue({
      store: {
        ...inner,
        async record(entry) {
          const epoch = await inner.record(entry);
          await new Promise<void>((resolve) => {
            written = resolve;
          });
          return epoch;
        },
      },
    });
    const old = enter({ user: "ann", epoch: 0 });
    await clock.settle();
    const report = bouncer.revoke("ann");
    await clock.settle();
    const fresh = enter({ user: "ann", epoch: 1 });
    await clock.settle();
    expect(fresh.entered).toBe(true);
    written();
    expect(await report).toMatchObject({ matched: 1, told: 1 });
    expect(await old.end).toMatchObject(revoked);
    expect(fresh.told).toBeUndefined();
  });

  test("works within one second, and whatever the issuer's clock says, for tokens with an epoch", async () => {
    const { bouncer, clock, enter } = openVenue();
    await bouncer.revoke("ann");
    const ahead = { user: "ann", epoch: 0, issuedAt: new Date(clock.now() + 3_600_000) };
    expect(await enter(ahead).end).toMatchObject(revoked);
    const behind = enter({ user: "ann", epoch: 1, issuedAt: new Date(clock.now() - 3_600_000) });
    const sameSecond = enter({ user: "ann", epoch: 1, issuedAt: new Date(clock.now()) });
    await clock.settle();
    expect([behind.entered, sameSecond.entered]).toEqual([true, true]);
  });

  test("by time alone takes no chances within a second and the skew, and then lets in", async () => {
    const { bouncer, clock, enter } = openVenue({ clockSkewMs: 2_000 });
    const start = clock.now();
    await clock.advance(300);
    await bouncer.revoke("ann");
    for (const issuedAt of [start - 60_000, start, start + 999, start + 1_000, start + 2_299]) {
      expect(await enter({ user: "ann", issuedAt: new Date(issuedAt) }).end).toMatchObject(revoked);
    }
    const later = enter({ user: "ann", issuedAt: new Date(start + 3_000) });
    await clock.settle();
    expect([later.entered, later.told]).toEqual([true, undefined]);
  });

  test("ends undated tokens' streams, for they may be old, also those that are on the way in", async () => {
    let known = () => {};
    const { bouncer, clock, enter } = openVenue({
      identified: () =>
        new Promise<void>((resolve) => {
          known = resolve;
        }),
    });
    const inside = enter({ user: "ann" });
    await clock.settle();
    known();
    await clock.settle();
    const onTheWay = enter({ user: "ann" });
    await clock.settle();
    expect(await bouncer.revoke("ann")).toMatchObject({ matched: 1, told: 1 });
    expect(await inside.end).toMatchObject(revoked);
    known();
    await clock.settle();
    expect(onTheWay.told).toMatchObject(revoked);
  });

  test("twice at the same time raises the epoch twice", async () => {
    const { bouncer } = openVenue();
    const reports = await Promise.all([bouncer.revoke("ann"), bouncer.revoke("ann"), bouncer.revoke("bob")]);
    expect(reports.map(({ epoch }) => epoch)).toEqual([1, 2, 1]);
    expect(await bouncer.epoch("ann")).toBe(2);
  });

  test("only tried, changes nothing", async () => {
    const { bouncer, clock, enter } = openVenue();
    const guest = enter({ user: "ann", epoch: 0 });
    await clock.settle();
    expect(await bouncer.revoke("ann", {}, { dryRun: true })).toMatchObject({ matched: 1, told: 0, epoch: 0 });
    expect(guest.told).toBeUndefined();
  });
});

test("an ordinary refresh of a token is no revocation: nobody is put out, old and new are both good", async () => {
  const { bouncer, clock, enter } = openVenue();
  const until = (ms: number) => new Date(clock.now() + ms);
  const first = enter({ user: "ann", session: "s1", epoch: 0, issuedAt: until(0), expiresAt: until(3_600_000) });
  await clock.advance(60_000);
  const second = enter({ user: "ann", session: "s1", epoch: 0, issuedAt: until(0), expiresAt: until(3_600_000) });
  await clock.advance(60_000);
  expect([first, second].map(({ entered, told }) => [entered, told])).toEqual(Array(2).fill([true, undefined]));
  expect(bouncer.count({ session: "s1" })).toBe(2);
  expect(bouncer.stats().verdicts.unauthenticated).toBe(0);
});

describe("credentials that end", () => {
  test("end the stream at that very time, with words that make a client refresh", async () => {
    const { clock, enter, bouncer } = openVenue();
    const guest = enter({ user: "ann", expiresAt: new Date(clock.now() + 60_000) });
    const other = enter({ user: "ann" });
    await clock.advance(59_999);
    expect([guest.entered, guest.told]).toEqual([true, undefined]);
    await clock.advance(1);
    expect(await guest.end).toMatchObject({ reason: "unauthenticated", message: "the credentials have expired" });
    expect(other.told).toBeUndefined();
    expect(bouncer.count()).toBe(1);
  });

  test("open no stream, and what is left of them leaves no timer", async () => {
    const { clock, enter } = openVenue();
    expect(await enter({ user: "ann", expiresAt: new Date(clock.now()) }).end).toMatchObject({
      reason: "unauthenticated",
    });
    const guest = enter({ user: "ann", expiresAt: new Date(clock.now() + 60_000) });
    await clock.settle();
    expect(clock.sleepers).toBe(1);
    guest.leave();
    await clock.settle();
    expect(clock.sleepers).toBe(0);
  });
});
