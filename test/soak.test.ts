import { describe, expect, test } from "vitest";
import { type Expected, faultsOf, type LoginSurvey, type UserInside } from "../soak/faults.mjs";
import { isFlat } from "../soak/flat.mjs";
import { chaosMs, phaseOf } from "../soak/plan.mjs";

// What the soak judges by. That it finds what goes wrong between processes, it shows by itself.

const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);

const storms = [
  "hole",
  "hangUp",
  "freeze",
  "cut",
  "slow",
  "throttle",
  "bar",
  "stopServer",
  "stopClient",
  "kill",
  "term",
];

describe("what happens in a soak", () => {
  test("is the same for the same seed, and another for another", () => {
    const plan = (seed: number) => [0, 1, 2].map((phase) => phaseOf(seed, phase, "mortal", users, true));
    expect(plan(7)).toEqual(plan(7));
    expect(plan(7)).not.toEqual(plan(8));
    expect(phaseOf(7, 0, "mortal", users, true)).not.toEqual(phaseOf(7, 1, "mortal", users, true));
  });

  test("comes in order, within its phase, and means each user by one verdict at most", () => {
    const deeds = ["reopen", "retry", "drain", "announce"];
    for (let seed = 0; seed < 200; seed++) {
      const events = phaseOf(seed, 0, "lasting", users, false);
      const times = events.map(({ at }) => at);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(times.every((at) => at >= 0 && at <= chaosMs)).toBe(true);
      const judged = events
        .filter(({ what, user }) => user !== undefined && !deeds.includes(what))
        .map(({ user }) => user);
      expect(new Set(judged).size).toBe(judged.length);
      expect(events.map(({ what }) => what)).not.toContain("kill"); // this house is the one whose server lives on
    }
  });

  test("is of one kind: what the weather does has no user, and what has a user is no weather", () => {
    for (const { what, user } of users.flatMap((_, seed) => phaseOf(seed, 0, "mortal", users, true))) {
      expect([what, storms.includes(what)]).toEqual([what, user === undefined]);
    }
  });

  test("is, sooner or later, everything that there is", () => {
    const all = users.flatMap((_, seed) => phaseOf(seed, 0, "mortal", users, true).map(({ what }) => what));
    const verdicts = ["kick", "ban", "supersede", "usurp", "revoke", "expire", "askForLess", "drain"];
    for (const what of [...storms, ...verdicts]) expect(all).toContain(what);
  });
});

describe("a process", () => {
  const grows = (share: number) => Array.from({ length: 30 }, (_, minute) => 100 * (1 + (share * minute) / 10));

  test("is at rest where it holds as much in the last third as in the one before, and grows where it is 5 % more", () => {
    expect(isFlat(grows(0))).toEqual({ judged: true, flat: true, ratio: 1 });
    expect(isFlat(grows(0.02)).flat).toBe(true);
    expect(isFlat(grows(0.08)).flat).toBe(false);
    expect(isFlat([...Array(10).fill(10), ...Array(20).fill(99)]).flat).toBe(true); // it has warmed up
  });

  test("is not judged by a few samples, nor by a descriptor more", () => {
    expect(isFlat([1, 2, 3, 4, 5])).toEqual({ judged: false, flat: true, ratio: undefined });
    expect(isFlat([...Array(20).fill(10), ...Array(10).fill(14)], 5).flat).toBe(true);
    expect(isFlat([...Array(20).fill(10), ...Array(10).fill(16)], 5).flat).toBe(false);
  });
});

describe("once all is quiet", () => {
  const stream = { room: "tick", open: true, silentMs: 100 };
  const healthy: LoginSurvey = {
    ...{ ready: true, status: "healthy", controlled: false, who: "ann" },
    streams: [stream, stream, stream, stream],
  };
  const over = { ...stream, open: false, end: "kicked" };
  const kicked: LoginSurvey = { ...healthy, status: "ended", reason: "kicked", streams: [over, over, over, over] };
  const inside: UserInside = { streams: 4, controlStreams: 0, unknown: 0, idle: 0 };
  const outside = { ...inside, streams: 0 };
  const kick: Expected = { order: "kick", reasons: ["kicked"], must: true };
  const usurp: Expected = { order: "usurp", reasons: ["superseded"], usurped: true };
  const superseded = { ...kicked, reason: "superseded", streams: [{ ...over, end: "superseded" }] };

  function faultOf(
    logins: readonly LoginSurvey[],
    there: UserInside,
    expected?: Expected,
    thorough = true,
  ): string | undefined {
    return faultsOf({ users: { ann: there } }, { ann: logins }, () => expected, thorough).get("ann");
  }

  test.each<[string, LoginSurvey[], UserInside, Expected | undefined]>([
    ["who is healthy is inside with all its streams", [healthy], inside, undefined],
    ["who was kicked is outside", [kicked], outside, kick],
    ["whose kick may have been lost may be inside", [healthy], inside, { ...kick, must: false }],
    ["of two logins one has lost its place", [superseded, healthy], inside, usurp],
  ])("%s", (_, logins, there, expected) => {
    expect(faultOf(logins, there, expected)).toBeUndefined();
  });

  test.each<[string, LoginSurvey[], UserInside, Expected | undefined]>([
    ["is healthy, and tick is silent for 9000 ms", [with_({ ...stream, silentMs: 9_000 })], inside, undefined],
    ["is healthy, and tick is over: complete", [with_({ ...over, end: "complete" })], inside, undefined],
    ["is waiting", [{ ...healthy, status: "waiting" }], inside, undefined],
    ["has not signed in", [{ ...healthy, ready: false }], inside, undefined],
    ["4 streams are open, and 5 in the registry", [healthy], { ...inside, streams: 5 }, undefined],
    ["1 control streams are due, and 0 in the registry", [{ ...healthy, controlled: true }], inside, undefined],
    ["1 handlers run that are not in the registry", [healthy], { ...inside, unknown: 1 }, undefined],
    ["1 streams are in the registry, and no handler runs", [healthy], { ...inside, idle: 1 }, undefined],
    ["has ended with kicked, by nobody's order", [kicked], outside, undefined],
    [
      "has ended with kicked, and tick with network",
      [{ ...kicked, streams: [{ ...over, end: "network" }] }],
      outside,
      kick,
    ],
    ["has ended with kicked, and tick goes on", [{ ...kicked, streams: [stream] }], outside, kick],
    ["kick was carried out, and it is inside", [healthy], inside, kick],
    ["two logins are inside", [healthy, healthy], inside, usurp],
    ["both logins have ended", [superseded, superseded], outside, usurp],
  ])("a fault is told: %s", (fault, logins, there, expected) => {
    expect(faultOf(logins, there, expected)).toContain(fault);
  });

  function with_(other: LoginSurvey["streams"][number]): LoginSurvey {
    return { ...healthy, streams: [stream, stream, stream, other] };
  }

  test("a control stream may be late, except in a thorough calm; one too many never is right", () => {
    const controlled = [{ ...healthy, controlled: true }];
    expect(faultOf(controlled, inside, undefined, false)).toBeUndefined();
    expect(faultOf([healthy], { ...inside, controlStreams: 1 }, undefined, false)).toContain(
      "0 control streams are due",
    );
  });

  test("what the server says of itself counts, too", () => {
    expect(faultsOf({ users: {}, fault: "it drains" }, {}, () => undefined, true).get("the server")).toBe("it drains");
  });
});
