import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { memoryStore, verdictOf } from "../../src/server/index.js";
import { createFakeStream } from "./fake-stream.js";
import { type Caller, openVenue } from "./venue.js";

/** Somebody is kicked, and the stream ends so; then they knock again and again. */
async function kicked(caller: Caller, end: "finish" | "vanish", options: Parameters<typeof openVenue>[0] = {}) {
  const venue = openVenue(options);
  const below = createFakeStream();
  venue.enter({ ...caller, below });
  await venue.clock.settle();
  const report = venue.bouncer.kick({ user: "ann" }, { code: "afk", message: "Idle" });
  await venue.clock.settle();
  below[end]();
  await report;
  const knock = async (as: Caller = caller) => {
    const guest = venue.enter(as);
    await venue.clock.settle();
    return guest.told?.reason ?? (guest.entered ? "inside" : "nowhere");
  };
  return { ...venue, knock };
}

describe("a client whose goodbye was lost hears it at the door", () => {
  test("by its session, once, for a new decision of its user's may follow", async () => {
    const { enter, knock } = await kicked({ user: "ann", session: "s1" }, "vanish");
    expect(await knock({ user: "ann", session: "s2" })).toBe("inside"); // another login
    expect(await enter({ user: "ann", session: "s1" }).end).toMatchObject({
      reason: "kicked",
      code: "afk",
      message: "Idle",
    });
    expect(await knock()).toBe("inside");
  });

  test("by its user, once, if it has no session", async () => {
    const { knock } = await kicked({ user: "ann" }, "vanish");
    expect(await knock({ user: "bob" })).toBe("inside");
    expect([await knock(), await knock()]).toEqual(["kicked", "inside"]);
  });

  test("by the name that it made up for this login, for as long as that is remembered, and nobody else does", async () => {
    const claim = "0123456789abcdef";
    const { clock, knock } = await kicked({ user: "ann", claim }, "vanish", { rememberMs: 60_000 });
    expect(await knock({ user: "eve", claim })).toBe("inside");
    expect([await knock(), await knock()]).toEqual(["kicked", "kicked"]);
    await clock.advance(59_999);
    expect(await knock()).toBe("kicked");
    await clock.advance(1);
    expect(await knock()).toBe("inside");
  });

  test("after an abort, which says nothing", async () => {
    const { bouncer, clock, enter } = openVenue();
    const below = createFakeStream();
    enter({ user: "ann", session: "s1", below });
    await clock.settle();
    expect(await bouncer.kick({ user: "ann" }, {}, { mode: "abort" })).toMatchObject({ forced: 1, told: 0 });
    expect(below.resets).toBe(1);
    expect((await enter({ user: "ann", session: "s1" }).end)?.reason).toBe("kicked");
  });

  test("after it had to be forced", async () => {
    const { bouncer, clock, enter } = openVenue({ forceAfterMs: 2_000 });
    const below = createFakeStream(); // never takes what it is told
    enter({ user: "ann", session: "s1", below });
    await clock.settle();
    const report = bouncer.kick({ user: "ann" });
    await clock.advance(1_999);
    expect(below.resets).toBe(0);
    await clock.advance(1);
    expect(await report).toMatchObject({ matched: 1, told: 0, forced: 1 });
    expect((await enter({ user: "ann", session: "s1" }).end)?.reason).toBe("kicked");
    expect(clock.sleepers).toBe(0);
  });
});

describe("nobody hears it at the door", () => {
  test.each<[string, Caller]>([
    ["by its session", { user: "ann", session: "s1" }],
    ["by its user", { user: "ann" }],
  ])("who has heard it, %s", async (_, caller) => {
    const { knock } = await kicked(caller, "finish");
    expect(await knock()).toBe("inside");
  });

  test("who has heard it on one of its streams, and left the others", async () => {
    const { bouncer, clock, enter } = openVenue();
    const [told, left] = [createFakeStream(), createFakeStream()];
    for (const below of [told, left]) enter({ user: "ann", session: "s1", below });
    await clock.settle();
    const kick = bouncer.kick({ session: "s1" });
    await clock.settle();
    told.finish();
    left.vanish();
    expect(await kick).toMatchObject({ told: 1, left: 1 });
    const again = enter({ user: "ann", session: "s1" });
    await clock.settle();
    expect(again.entered).toBe(true);
  });

  test.each([{ except: { session: "mine" } }, { tag: "room" }])("who was not meant: %j", async (narrower) => {
    const { bouncer, clock, enter } = openVenue();
    const below = createFakeStream();
    enter({ user: "ann", tags: ["room"], below });
    await clock.settle();
    const kick = bouncer.kick({ user: "ann", ...narrower });
    await clock.settle();
    below.vanish();
    expect(await kick).toMatchObject({ left: 1 });
    const other = enter({ user: "ann", session: "mine" });
    await clock.settle();
    expect(other.entered).toBe(true);
  });

  test("after its time", async () => {
    const { clock, knock } = await kicked({ user: "ann", session: "s1" }, "vanish");
    await clock.advance(600_000);
    expect(await knock()).toBe("inside");
  });

  test("where nothing is to be remembered", async () => {
    const { knock } = await kicked({ user: "ann", session: "s1" }, "vanish", { rememberMs: 0 });
    expect(await knock()).toBe("inside");
  });
});

test("one name for a login is used up with it, though the app's own for the session is not", async () => {
  const { bouncer, clock, enter } = openVenue();
  const caller = { user: "ann", session: "s1" };
  enter({ ...caller, claim: "first-login" });
  await clock.settle();
  expect(await bouncer.kick({ user: "ann" })).toMatchObject({ told: 1 });
  expect((await enter({ ...caller, claim: "first-login" }).end)?.reason).toBe("kicked");
  const again = enter({ ...caller, claim: "second-login" });
  await clock.settle();
  expect(again.entered).toBe(true);
});

test("a handler whose `return` throws spoils nothing for the others", async () => {
  const broken = () => ({
    next: () => new Promise<never>(() => {}),
    return: () => {
      throw new Error("cannot return");
    },
  });
  const { bouncer, clock, enter, failures } = openVenue({ subscribe: () => ({ [Symbol.asyncIterator]: broken }) });
  const guests = [enter({ user: "ann" }), enter({ user: "ann" })];
  await clock.settle();
  expect(await bouncer.kick({ user: "ann" })).toMatchObject({ matched: 2, told: 2 });
  expect((await Promise.all(guests.map(({ end }) => end))).map((told) => told?.reason)).toEqual(["kicked", "kicked"]);
  expect(failures).toHaveLength(2);
  expect(failures[0]).toContain("cannot return");
});

test("a stream that can neither end nor be cut is reported as failed, and holds nothing up for long", async () => {
  const { bouncer, clock, headerOf, transport } = openVenue({ forceAfterMs: 2_000 });
  const stream = createClient(ChatService, transport).subscribe({}, { headers: headerOf({ user: "ann" }) });
  await stream[Symbol.asyncIterator]().next(); // and never again
  const report = bouncer.kick({ user: "ann" });
  await clock.advance(3_000);
  expect(await report).toMatchObject({ matched: 1, told: 0, forced: 0, failed: 1 });
  expect(clock.sleepers).toBe(0);
});

test("a handler learns the verdict, even if a newcomer was refused with the same words first", async () => {
  const inner = memoryStore();
  const { bouncer, clock, enter, reasons } = openVenue({
    store: {
      ...inner,
      async record(entry) {
        const epoch = await inner.record(entry);
        expect((await enter({ user: "ann" }).end)?.reason).toBe("banned");
        return epoch;
      },
    },
  });
  const released: (string | undefined)[] = [];
  bouncer.onRelease((_, verdict) => released.push(verdict?.id));
  enter({ user: "ann" });
  await clock.settle();
  const { verdict } = await bouncer.ban({ user: "ann" });
  await clock.settle();
  expect(verdictOf(reasons[0])?.id).toBe(verdict);
  expect(released).toEqual([verdict]);
});

test("a unary call of somebody who is banned is refused in the same words", async () => {
  const { bouncer, headerOf, transport } = openVenue();
  const chat = createClient(ChatService, transport);
  const headers = headerOf({ user: "ann" });
  expect(await chat.say({}, { headers })).toMatchObject({ id: 1 });
  await bouncer.ban({ user: "ann" }, { message: "Cheating" });
  await expect(chat.say({}, { headers })).rejects.toMatchObject({ rawMessage: "Cheating" });
});
