import { createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ControlStreamService, controlStreamService } from "../../src/server/index.js";
import { attend } from "./attend.js";
import { createFakeStream } from "./fake-stream.js";
import { openVenue } from "./venue.js";

const claim = "0123456789abcdef";

describe("a control stream", () => {
  test("is welcomed first, with the interval and the return window", async () => {
    const venue = openVenue({ heartbeatMs: 12_500, admission: { windowMs: 4_000 } });
    const { heard } = attend(venue, { user: "ann", claim });
    await venue.clock.settle();
    expect(heard).toEqual(["welcome: 12.5 s, 4 s"]);
    const plain = openVenue();
    const other = attend(plain, { user: "ann", claim });
    await plain.clock.settle();
    expect(other.heard).toEqual(["welcome: 15 s, undefined"]);
  });

  test("gets a sign of life in each interval", async () => {
    const venue = openVenue({ heartbeatMs: 10_000 });
    const { heard } = attend(venue, { user: "ann", claim });
    await venue.clock.settle();
    for (let beat = 1; beat <= 20; beat++) {
      await venue.clock.advance(10_000);
      expect(heard.filter((line) => line === "heartbeat").length).toBeGreaterThanOrEqual(beat);
    }
    expect(heard.length).toBeLessThanOrEqual(1 + 25); // a fifth more often at most
  });

  test("hears what is announced, with its time, and nothing of what is announced to others", async () => {
    const venue = openVenue();
    const ann = attend(venue, { user: "ann", claim });
    const bob = attend(venue, { user: "bob", session: "s2" });
    venue.enter({ user: "bob", session: "s2" });
    await venue.clock.settle();
    const at = new Date(venue.clock.now() + 90_000);
    expect(venue.bouncer.announce({ user: "bob" }, { reason: "maintenance", message: "Noon" }, at)).toBe(1);
    expect(venue.bouncer.announce({ all: true }, { reason: "throttled" })).toBe(2);
    await venue.clock.settle();
    expect(bob.heard.slice(1)).toEqual(['notice: maintenance "Noon" in 90 s', 'notice: throttled ""']);
    expect(ann.heard.slice(1)).toEqual(['notice: throttled ""']);
  });

  test("hears that its credentials will end, a minute before they do", async () => {
    const venue = openVenue({ heartbeatMs: 3_600_000 });
    const { heard, end } = attend(venue, { user: "ann", claim, expiresAt: new Date(venue.clock.now() + 600_000) });
    await venue.clock.advance(539_999);
    expect(heard).toHaveLength(1);
    await venue.clock.advance(1);
    expect(heard.slice(1)).toEqual(['notice: unauthenticated "the credentials will expire" in 60 s']);
    await venue.clock.advance(60_000);
    expect((await end)?.reason).toBe("unauthenticated");
    expect(venue.clock.sleepers).toBe(0);
  });

  test("hears of a drain at its start, and ends together with its session's streams", async () => {
    const venue = openVenue();
    const bob = venue.enter({ user: "bob" });
    await venue.clock.settle();
    const ann = attend(venue, { user: "ann", claim });
    const stream = venue.enter({ user: "ann", claim });
    await venue.clock.settle();
    const report = venue.bouncer.drain({ overMs: 10_000, message: "Deploying" });
    await venue.clock.settle();
    expect(ann.heard.slice(1)).toEqual(['notice: maintenance "Deploying"']);
    expect([bob.told?.reason, stream.told]).toEqual(["maintenance", undefined]);
    await venue.clock.advance(10_000);
    expect(await report).toMatchObject({ matched: 3, told: 3 });
    expect([(await ann.end)?.reason, (await stream.end)?.reason]).toEqual(["maintenance", "maintenance"]);
    expect(venue.clock.sleepers).toBe(0);
  });

  test("ends with the status, when it is meant itself", async () => {
    const venue = openVenue();
    const { heard, end } = attend(venue, { user: "ann", claim });
    await venue.clock.settle();
    expect(await venue.bouncer.kick({ user: "ann" }, { code: "afk", message: "Idle" })).toMatchObject({ told: 1 });
    expect(await end).toMatchObject({ reason: "kicked", code: "afk", message: "Idle" });
    expect(heard).toHaveLength(1);
    await venue.clock.settle();
    expect(venue.clock.sleepers).toBe(0);
  });

  test("of another user's, who claims the same session, hears nothing", async () => {
    const venue = openVenue();
    const ann = attend(venue, { user: "ann", claim });
    const eve = attend(venue, { user: "eve", claim });
    const guest = attend(venue, { claim });
    venue.enter({ user: "ann", claim });
    await venue.clock.settle();
    const [stream] = venue.bouncer.list().filter(({ method }) => method.endsWith("Subscribe"));
    venue.bouncer.announce({ user: "ann" }, { reason: "maintenance" });
    await venue.bouncer.kick({ stream: stream?.id }, { message: "Idle" });
    await venue.clock.settle();
    expect(ann.heard.slice(1)).toEqual(['notice: maintenance ""', 'verdict: kicked "Idle"']);
    expect([eve.heard.length, guest.heard.length]).toEqual([1, 1]);
  });

  test("that leaves, leaves no timer and is spoken to no more", async () => {
    const venue = openVenue();
    const { leave } = attend(venue, { user: "ann", claim, expiresAt: new Date(venue.clock.now() + 600_000) });
    await venue.clock.settle();
    leave();
    await venue.clock.settle();
    expect(venue.clock.sleepers).toBe(0);
    expect(venue.bouncer.announce({ all: true }, { reason: "maintenance" })).toBe(0);
  });
});

describe("a stream that is cut without a word", () => {
  test.each(["witness", "control stream that is cut itself"])(
    "is explained on its %s before that happens",
    async (whose) => {
      const venue = openVenue();
      const controlStream = attend(venue, { user: "ann", claim });
      let heardBefore: readonly string[] | undefined;
      const below = createFakeStream(undefined, () => {
        heardBefore = [...controlStream.heard];
      });
      venue.enter({ user: "ann", claim, below });
      await venue.clock.settle();
      const [stream] = venue.bouncer.list().filter(({ method }) => method.endsWith("Subscribe"));
      const selector = whose === "witness" ? { stream: stream?.id } : { user: "ann" };
      const report = venue.bouncer.kick(selector, { message: "Idle" }, { mode: "abort" });
      await venue.clock.advance(1_000);
      await report;
      expect(below.resets).toBe(1);
      if (whose === "witness") {
        expect(controlStream.heard.slice(1)).toContain('verdict: kicked "Idle"');
        expect(heardBefore).toContain('verdict: kicked "Idle"');
      } else {
        expect(await controlStream.end).toMatchObject({ reason: "kicked", message: "Idle" });
        expect(await report).toMatchObject({ matched: 2, told: 1, forced: 1 });
      }
    },
  );

  test("does not wait long for a control stream that does not read", async () => {
    const venue = openVenue();
    attend(venue, { user: "ann", claim, below: createFakeStream() }); // it never takes its end
    const below = createFakeStream();
    venue.enter({ user: "ann", claim, below });
    await venue.clock.settle();
    void venue.bouncer.kick({ user: "ann" }, {}, { mode: "abort" });
    await venue.clock.advance(50);
    expect(below.resets).toBe(1);
    await venue.clock.advance(5_000);
    expect([venue.bouncer.count(), venue.clock.sleepers]).toEqual([0, 0]);
  });
});

test("without the bouncer's interceptor there is no control stream", async () => {
  const { bouncer } = openVenue();
  const transport = createRouterTransport((router) =>
    router.service(ControlStreamService, controlStreamService(bouncer)),
  );
  const attending = async () => {
    for await (const _ of createClient(ControlStreamService, transport).open({}));
  };
  await expect(attending()).rejects.toThrow("the bouncer's interceptor is not set");
});
