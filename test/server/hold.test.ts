import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { classify } from "../../src/index.js";
import { LimitError, memoryStore, type Selector, type Stream } from "../../src/server/index.js";
import { createAdmittedStream } from "../../src/server/inside/admitted-stream.js";
import { createAway } from "../../src/server/inside/away.js";
import { whoIs } from "../../src/server/who/identity.js";
import { createFakeClock } from "../../src/testing/index.js";
import { type Caller, openVenue, type Venue } from "./venue.js";

const holdMs = 10_000;
const ann = { user: "ann" };

/** What becomes of somebody who comes now. */
async function knock({ clock, enter }: Venue, caller: Caller) {
  const guest = enter(caller);
  await clock.settle();
  return guest.told?.reason ?? (guest.entered ? "inside" : "nowhere");
}

/** Somebody was inside, and was cut off a moment ago. */
async function cutOff(venue: Venue, caller: Caller) {
  const guest = venue.enter(caller);
  await venue.clock.settle();
  guest.leave();
  await venue.clock.settle();
}

describe("a kick that holds", () => {
  test("tells who is between two attempts the same, each time, for so long and no longer", async () => {
    const venue = openVenue();
    await cutOff(venue, ann);
    await venue.bouncer.kick(ann, { code: "afk", message: "Idle" }, { holdMs });
    const guest = venue.enter(ann);
    expect(await guest.end).toMatchObject({ reason: "kicked", code: "afk", message: "Idle", said: true });
    await venue.clock.advance(holdMs - 1);
    expect([await knock(venue, ann), await knock(venue, { user: "bob" })]).toEqual(["kicked", "inside"]);
    await venue.clock.advance(1);
    expect(await knock(venue, ann)).toBe("inside");
  });

  test.each<[string, Caller]>([
    ["by its session", { user: "ann", session: "s1" }],
    ["by its user", ann],
    ["by its tag", { tags: ["room"] }],
  ])("counts who was cut off a moment ago among those who are meant, %s", async (_, caller) => {
    const venue = openVenue();
    const { tags: [tag] = [], ...who } = caller;
    await cutOff(venue, caller);
    const selector: Selector = tag === undefined ? { ...("session" in who ? { session: "s1" } : ann) } : { tag };
    const dry = await venue.bouncer.kick(selector, {}, { holdMs, dryRun: true, details: true });
    expect(dry).toMatchObject({ matched: 1, streams: [{ outcome: "matched" }] });
    const report = await venue.bouncer.kick(selector, {}, { holdMs, details: true });
    expect(report).toMatchObject({ matched: 1, told: 0, forced: 0, left: 1, failed: 0 });
    expect(report.streams).toMatchObject([{ outcome: "left", stream: who }]);
  });

  test("counts each client once: who has come back is inside, and who was put out is not away", async () => {
    const venue = openVenue();
    for (let loss = 0; loss < 3; loss++) await cutOff(venue, { user: "ann", session: "s1" });
    venue.enter({ user: "ann", session: "s1" });
    const [first, second] = [venue.enter({ user: "ann", session: "s2" }), venue.enter({ user: "ann", session: "s2" })];
    await venue.clock.settle();
    first.leave(); // one of two streams
    await venue.clock.settle();
    expect(second.entered).toBe(true);
    expect(await venue.bouncer.kick(ann, {}, { holdMs })).toMatchObject({ matched: 2, told: 2, left: 0 });
    await venue.clock.advance(holdMs);
    expect(await venue.bouncer.kick(ann, {}, { holdMs })).toMatchObject({ matched: 0 });
  });

  test("counts nobody who left longer ago than it holds, or than a minute; without it nobody who has left", async () => {
    const venue = openVenue();
    await cutOff(venue, ann);
    expect(await venue.bouncer.kick(ann)).toMatchObject({ matched: 0 });
    await venue.clock.advance(holdMs);
    expect(await venue.bouncer.kick(ann, {}, { holdMs })).toMatchObject({ matched: 0 });
    await venue.clock.advance(50_000);
    expect(await venue.bouncer.kick(ann, {}, { holdMs: 3_600_000, dryRun: true })).toMatchObject({ matched: 0 });
  });

  test("keeps to the limit with those who are away, too", async () => {
    const venue = openVenue();
    for (const user of ["ann", "bob"]) await cutOff(venue, { user, tags: ["room"] });
    const kick = venue.bouncer.kick({ tag: "room" }, {}, { holdMs, limit: 1 });
    await expect(kick).rejects.toThrow(LimitError);
    expect(await knock(venue, { tags: ["room"] })).toBe("inside");
  });

  test("tells by abort, too, and its unary calls", async () => {
    const venue = openVenue();
    await venue.bouncer.kick(ann, { message: "Idle" }, { holdMs, mode: "abort" });
    expect(await knock(venue, ann)).toBe("kicked");
    const chat = createClient(ChatService, venue.transport);
    const error = await chat.say({}, { headers: venue.headerOf(ann) }).catch((thrown) => thrown);
    expect(classify({ error }, { now: venue.clock.now() })).toMatchObject({ reason: "kicked", message: "Idle" });
  });

  test("is not cut short by the memory of who did not hear it", async () => {
    const venue = openVenue({ forceAfterMs: 0 });
    venue.enter(ann);
    await venue.clock.settle();
    const kick = venue.bouncer.kick(ann, {}, { holdMs, mode: "abort" });
    await venue.clock.advance(1_000);
    await kick;
    for (let knocks = 0; knocks < 3; knocks++) expect(await knock(venue, ann)).toBe("kicked");
  });

  test("is remembered beyond its time by the name that a client made up for its login, and by no other", async () => {
    const venue = openVenue();
    const named = { user: "ann", claim: "0123456789abcdef" };
    await cutOff(venue, named);
    await cutOff(venue, { user: "ann", session: "s1" });
    await venue.bouncer.kick(ann, {}, { holdMs });
    await venue.clock.advance(holdMs);
    const answers = [await knock(venue, named), await knock(venue, { user: "ann", session: "s1" })];
    expect(answers).toEqual(["kicked", "inside"]);
  });

  test("is ended by lift", async () => {
    const venue = openVenue();
    await venue.bouncer.kick(ann, {}, { holdMs });
    expect([await venue.bouncer.lift(ann), await venue.bouncer.lift(ann)]).toEqual([true, false]);
    expect(await knock(venue, ann)).toBe("inside");
  });

  test("holds at each bouncer that shares its store", async () => {
    const store = memoryStore();
    const [here, there] = [openVenue({ store }), openVenue({ store })];
    await here.bouncer.kick(ann, {}, { holdMs });
    expect(await knock(there, ann)).toBe("kicked");
    await there.clock.advance(holdMs);
    expect(await knock(there, ann)).toBe("inside");
  });
});

test("a session that was superseded can be held, too", async () => {
  const venue = openVenue();
  await cutOff(venue, { user: "ann", session: "old" });
  const report = await venue.bouncer.supersede({ session: "old" }, { by: "iPad" }, { holdMs });
  expect(report).toMatchObject({ matched: 1, left: 1 });
  const answers = [];
  for (const session of ["old", "new"]) answers.push(await knock(venue, { user: "ann", session }));
  expect(answers).toEqual(["superseded", "inside"]);
});

test.each<[Selector, object, string]>([
  [ann, { holdMs: -1 }, "options.holdMs: expected a number from 0 to 3600000, got -1"],
  [ann, { holdMs: 3_600_001 }, "options.holdMs: expected a number from 0 to 3600000, got 3600001"],
  [{ all: true }, { holdMs }, "selector: expected exactly one of user, session and tag"],
  [{ user: "ann", except: { session: "s1" } }, { holdMs }, "selector: expected exactly one of user, session and tag"],
])("a hold that cannot be is refused by its name, and nothing is done: %j, %j", async (selector, options, message) => {
  const venue = openVenue();
  const guest = venue.enter(ann);
  await venue.clock.settle();
  await expect(venue.bouncer.kick(selector, {}, options)).rejects.toThrow(message);
  expect(guest.told).toBeUndefined();
});

test.each(["ban", "expire", "throttle"] as const)("there is none for %s", async (verdict) => {
  const { bouncer } = openVenue();
  await expect(bouncer[verdict](ann, {}, { holdMs } as object)).rejects.toThrow("options.holdMs: unknown");
});

test("who comes and goes without end is not remembered without end: the last ten thousand are", () => {
  const clock = createFakeClock();
  const away = createAway(clock);
  const leave = (user: string) => {
    const who = whoIs({ user, tags: ["room"] }, { header: new Headers() });
    const stream = { id: user } as Stream;
    away.left(createAdmittedStream(stream, who, undefined, () => {}));
  };
  for (let count = 0; count < 10_100; count++) leave(`u${count}`);
  const found = away.find({ tag: "room" }, holdMs, []);
  expect([found.length, found[0]?.who.user]).toEqual([10_000, "u100"]);
});
