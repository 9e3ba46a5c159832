import { expect, test } from "vitest";
import { type Stream, type Verdict, verdictOf } from "../../src/server/index.js";
import { openVenue } from "./venue.js";

test("a hook is told who has left and which verdict it was, once for each stream", async () => {
  const { bouncer, clock, enter } = openVenue();
  const released: [Stream, Verdict | undefined][] = [];
  bouncer.onRelease((...left) => released.push(left));
  const [ann, bob] = [enter({ user: "ann", session: "s1" }), enter({ user: "bob" })];
  await clock.settle();
  const [annsStream, bobsStream] = bouncer.list();
  bob.leave();
  await clock.settle();
  const { verdict } = await bouncer.kick({ user: "ann" }, { code: "afk" });
  await ann.end;
  await clock.settle();
  expect(released.map(([stream]) => stream)).toEqual([bobsStream, annsStream]);
  expect(released.map(([, found]) => found?.id)).toEqual([undefined, verdict]);
});

test("a hook that hangs is reported when its time is up, and holds nothing up", async () => {
  const { bouncer, clock, enter, failures } = openVenue({ releaseWithinMs: 3_000 });
  const order: string[] = [];
  bouncer.onRelease(() => new Promise(() => {}));
  bouncer.onRelease(({ user }) => order.push(`released ${user}`));
  const guest = enter({ user: "ann" });
  await clock.settle();
  const [stream] = bouncer.list();
  expect(await bouncer.kick({ user: "ann" })).toMatchObject({ told: 1 });
  expect((await guest.end)?.reason).toBe("kicked");
  await clock.advance(2_999);
  expect([order, failures]).toEqual([["released ann"], []]);
  await clock.advance(1);
  expect(failures).toEqual([`a release hook for ${stream?.id} hangs: Error: not done within 3000 ms`]);
  expect(clock.sleepers).toBe(0);
});

test("a hook that fails is reported; the others run", async () => {
  const { bouncer, clock, enter, failures } = openVenue();
  let others = 0;
  bouncer.onRelease(() => {
    throw new Error("at once");
  });
  bouncer.onRelease(() => Promise.reject(new Error("later")));
  bouncer.onRelease(() => others++);
  enter({ user: "bob" });
  await clock.settle();
  await bouncer.kick({ user: "bob" });
  await clock.settle();
  expect(failures.map((line) => String(line).replace(/^.*: /, "")).sort()).toEqual(["at once", "later"]);
  expect([others, clock.sleepers]).toEqual([1, 0]);
});

test("a hook is not called for who was refused, nor after its removal, and may be set twice", async () => {
  const { bouncer, clock, enter } = openVenue();
  let calls = 0;
  const hook = () => calls++;
  const off = [bouncer.onRelease(hook), bouncer.onRelease(hook)];
  await bouncer.ban({ user: "eve" });
  await enter({ user: "eve" }).end;
  expect(calls).toBe(0);
  const pass = async () => {
    const guest = enter({ user: "ann" });
    await clock.settle();
    guest.leave();
    await clock.settle();
  };
  await pass();
  expect(calls).toBe(2);
  off[0]?.();
  off[0]?.();
  await pass();
  expect(calls).toBe(3);
  off[1]?.();
  await pass();
  expect(calls).toBe(3);
});

test("a client that left by itself leaves no verdict as its handler's reason", async () => {
  const { clock, enter, reasons } = openVenue();
  const guest = enter({ user: "ann" });
  await clock.settle();
  guest.leave();
  await clock.settle();
  expect(reasons.map(verdictOf)).toEqual([undefined]);
  expect(verdictOf(undefined) ?? verdictOf(null) ?? verdictOf("gone")).toBeUndefined();
});
