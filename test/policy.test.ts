import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jitters } from "../src/check/policies.js";
import { type Attempt, builtInReasons, type Disconnect, defaultPolicies, parsePolicies } from "../src/index.js";
import { backoffMs } from "../src/policy/backoff.js";
import { finiteMs } from "../src/policy/finite-ms.js";
import { decide, resolvePolicies } from "../src/policy/policy.js";
import { type Bucket, fullBucket, type RateLimit, take } from "../src/policy/rate-limit.js";

const now = Date.UTC(2030, 0, 1);
const attempt: Attempt = {
  ...{ number: 1, ofOutage: 1, wasHealthy: false, previousMs: 0 },
  ...{ now, random: 0.5, canRefresh: false, windowMs: undefined },
};
const disconnect = (reason: string, fields: object = {}) =>
  ({
    reason,
    message: "",
    localized: undefined,
    said: true,
    source: "detail",
    cause: undefined,
    ...fields,
  }) as Disconnect;
const defaults = resolvePolicies({}, builtInReasons);

describe("backoff", () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  const backoff = fc.record({
    initialMs: fc.integer({ min: 1, max: 10_000 }),
    maxMs: fc.integer({ min: 1, max: 100_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    jitter: fc.constantFrom(...jitters),
  });

  test("never exceeds its cap and is never negative, at any attempt", () => {
    fc.assert(
      fc.property(backoff, fc.integer({ min: 1, max: 1e6 }), random, fc.nat(1e6), (given, number, chance, previous) => {
        const ms = backoffMs(given, number, chance, previous);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(given.maxMs);
      }),
    );
  });

  test.each([
    ["none", [100, 200, 400, 800, 1000, 1000]],
    ["full", [50, 100, 200, 400, 500, 500]],
    ["equal", [75, 150, 300, 600, 750, 750]],
  ] as const)("with %s jitter grows to its cap, and the jitter comes after the cap", (jitter, expected) => {
    const given = { initialMs: 100, maxMs: 1_000, factor: 2, jitter };
    expect([1, 2, 3, 4, 5, 60].map((number) => backoffMs(given, number, 0.5, 0))).toEqual(expected);
  });

  test("with decorrelated jitter looks at the delay before, and stays spread at the cap", () => {
    const given = { initialMs: 100, maxMs: 1_000, factor: 2, jitter: "decorrelated" } as const;
    expect(backoffMs(given, 1, 0.5, 0)).toBe(100);
    expect(backoffMs(given, 2, 0.5, 100)).toBe(200);
    expect(backoffMs(given, 3, 0.5, 200)).toBe(350);
    expect(backoffMs(given, 9, 0.5, 1_000)).toBe(550);
  });
});

describe("a decision", () => {
  test.each(["kicked", "banned", "superseded"])("on %s is to end, by default", (reason) => {
    expect(decide(defaults, disconnect(reason, { message: "Bye" }), attempt)).toEqual({
      action: "end",
      why: `${reason}: Bye`,
    });
  });

  test("on a loss explains its wait", () => {
    expect(decide(defaults, disconnect("network"), { ...attempt, number: 3, ofOutage: 3 })).toEqual({
      action: "reconnect",
      afterMs: 3_000,
      refresh: false,
      why: "network: backoff 3 s, 3 in a row",
    });
  });

  test("takes the server's time as a floor, with jitter on top", () => {
    const found = decide(defaults, disconnect("maintenance", { retryAt: new Date(now + 30_000) }), attempt);
    expect(found).toMatchObject({ afterMs: 32_500, why: "maintenance: server said 30 s, +2.5 s jitter" });
  });

  test("takes a time that was reserved for this client alone as it is", () => {
    const retryAt = new Date(now + 30_000);
    const found = decide(defaults, disconnect("maintenance", { retryAt, reserved: true }), attempt);
    expect(found).toMatchObject({ afterMs: 30_000, why: "maintenance: reserved in 30 s" });
    const atOnce = disconnect("maintenance", { retryAt: new Date(now), reserved: true });
    expect(decide(defaults, atOnce, attempt)).toMatchObject({ afterMs: 0 });
    expect(decide(defaults, atOnce, { ...attempt, ofOutage: 2 })).toMatchObject({ afterMs: 1_000 }); // again and again: a loop
    const late = disconnect("throttled", { retryAt: new Date(now + 7_200_000), reserved: true });
    expect(decide(defaults, late, attempt)).toMatchObject({ afterMs: 3_605_000 }); // beyond the bound it is nobody's own
  });

  test.each(["network", "aborted"])("spreads the first return after a loss (%s) over the server's window", (reason) => {
    const wide = { ...attempt, windowMs: 8_000 };
    const why = `${reason}: in 4 s, spread over the server's window of 8 s`;
    expect(decide(defaults, disconnect(reason), wide)).toMatchObject({ afterMs: 4_000, why });
    const patient = resolvePolicies({ [reason]: { maxServerMs: 6_000 } }, builtInReasons);
    expect(decide(patient, disconnect(reason), wide)).toMatchObject({ afterMs: 3_000 });
    const second = decide(defaults, disconnect(reason), { ...wide, previousMs: 100 });
    expect(second).toEqual(decide(defaults, disconnect(reason), { ...attempt, previousMs: 100 }));
    expect(decide(defaults, disconnect("maintenance"), wide)).toEqual(
      decide(defaults, disconnect("maintenance"), attempt),
    );
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), fc.nat(100), (random, seconds) => {
        const retryAt = new Date(now + seconds * 1_000);
        const decision = decide(defaults, disconnect("throttled", { retryAt }), { ...attempt, random });
        expect(decision.action === "reconnect" && decision.afterMs >= seconds * 1_000).toBe(true);
      }),
    );
  });

  test.each([0, -1, -1e15, Number.NaN, 1, 1_000])(
    "takes its backoff, where a window of %d ms is shorter",
    (windowMs) => {
      for (const previousMs of [0, 500]) {
        const without = { ...attempt, previousMs };
        const decision = decide(defaults, disconnect("network"), { ...without, windowMs });
        expect(decision).toEqual(decide(defaults, disconnect("network"), without));
      }
    },
  );

  test("lets a server ask for no more than the client's maximum, and for nothing in the past", () => {
    const policies = resolvePolicies({ maintenance: { maxServerMs: 60_000, jitter: "none" } }, builtInReasons);
    const at = (ms: number) => decide(policies, disconnect("maintenance", { retryAt: new Date(now + ms) }), attempt);
    expect(at(3_600_000)).toMatchObject({ afterMs: 60_000, why: expect.stringContaining("at most 60 s") });
    expect(at(-5_000)).toMatchObject({ afterMs: 5_000 });
  });

  test("survives a time that is none", () => {
    for (const retryAt of ["soon", 7, new Date(Number.NaN), null]) {
      expect(decide(defaults, disconnect("maintenance", { retryAt }), attempt)).toMatchObject({ afterMs: 2_500 });
    }
  });

  test("gives up when the attempts are used up", () => {
    const policies = resolvePolicies(
      { network: { maxAttempts: 2 }, aborted: { maxAttempts: 0, whenExhausted: "end" } },
      builtInReasons,
    );
    expect(decide(policies, disconnect("network"), { ...attempt, number: 2 }).action).toBe("reconnect");
    expect(decide(policies, disconnect("network"), { ...attempt, number: 3 }).action).toBe("stop");
    expect(decide(policies, disconnect("aborted"), attempt).action).toBe("end");
  });

  test("gives up by what the stream has shown, and by what the ending may mean", () => {
    const bounds = { neverHealthy: 1, onceHealthy: null, inDoubt: 2 };
    const policies = resolvePolicies(parsePolicies({ aborted: { maxAttempts: bounds } }), builtInReasons);
    const action = (number: number, wasHealthy: boolean, source = "status") =>
      decide(policies, disconnect("aborted", { source }), { ...attempt, number, wasHealthy }).action;
    expect([action(1, false), action(2, false), action(99, true)]).toEqual(["reconnect", "stop", "reconnect"]);
    expect([action(2, true, "unknown"), action(3, true, "unknown")]).toEqual(["reconnect", "stop"]);
    const named = resolvePolicies({ aborted: { maxAttempts: 4 } }, builtInReasons); // a number is for all
    const fifth = { ...attempt, number: 5, wasHealthy: true };
    expect(decide(named, disconnect("aborted"), fifth)).toMatchObject({ action: "stop" });
  });

  test("on unauthenticated is to refresh, once, and only where that can be done", () => {
    const can = { ...attempt, canRefresh: true };
    expect(decide(defaults, disconnect("unauthenticated"), attempt).action).toBe("end");
    expect(decide(defaults, disconnect("unauthenticated"), can)).toMatchObject({ action: "reconnect", refresh: true });
    expect(decide(defaults, disconnect("unauthenticated"), { ...can, number: 2 })).toEqual({
      action: "end",
      why: "unauthenticated: gave up after 1 unhealthy attempt in a row",
    });
  });

  test("may be a function's", () => {
    const policies = resolvePolicies(
      {
        network: ({ reason }: Disconnect, { number }: Attempt) => ({
          action: "reconnect",
          afterMs: number,
          why: reason,
        }),
      },
      builtInReasons,
    );
    expect(decide(policies, disconnect("network"), attempt)).toEqual({
      action: "reconnect",
      afterMs: 1,
      why: "network",
    });
  });
});

describe("policies from outside", () => {
  test("pass as JSON, and change only what they name", () => {
    const policies = parsePolicies(
      JSON.parse('{"network":{"maxMs":9000},"aborted":"stop","maintenance":{"maxAttempts":null}}'),
    );
    const resolved = resolvePolicies(policies, builtInReasons);
    expect(resolved.network).toEqual({ ...(defaultPolicies.network as object), maxMs: 9_000 });
    expect(resolved.aborted).toBe("stop");
    expect(JSON.parse(JSON.stringify(resolved))).toEqual(resolved);
  });

  test.each([
    [null, "policies: expected an object, got null"],
    [[], "policies: expected an object, got []"],
    [{ netwrok: "stop" }, "policies.netwrok: unknown; expected one of kicked, banned"],
    [{ network: "retry" }, 'policies.network: expected "stop", "end", an object or a function, got "retry"'],
    [{ network: null }, "policies.network: expected an object, got null"],
    [{ network: { initalMs: 5 } }, "policies.network.initalMs: unknown; expected one of initialMs, maxMs"],
    [{ network: { initialMs: "5" } }, 'policies.network.initialMs: expected a number of at least 1, got "5"'],
    [{ network: { initialMs: 0 } }, "policies.network.initialMs: expected a number of at least 1, got 0"],
    [{ network: { maxMs: Number.NaN } }, "policies.network.maxMs: expected a number of at least 1, got NaN"],
    [{ network: { factor: 0.5 } }, "policies.network.factor: expected a number from 1 to 100, got 0.5"],
    [
      { network: { jitter: "some" } },
      'policies.network.jitter: expected "full" or "equal" or "decorrelated" or "none", got "some"',
    ],
    [
      { network: { maxAttempts: -1 } },
      "policies.network.maxAttempts: expected a number of at least 0, or null for no bound, got -1",
    ],
    [
      { network: { maxAttempts: { neverHealthy: 3, onceHealthy: null } } },
      "policies.network.maxAttempts.inDoubt: expected a number of at least 0, or null for no bound, got undefined",
    ],
    [
      { network: { maxAttempts: { always: 3 } } },
      "policies.network.maxAttempts.always: unknown; expected one of neverHealthy, onceHealthy, inDoubt",
    ],
    [
      { banned: {} },
      "policies.banned.maxAttempts: expected a number, or null for no bound, because nothing reconnects",
    ],
    [{ network: { whenExhausted: "wait" } }, 'policies.network.whenExhausted: expected "stop" or "end", got "wait"'],
  ])("are refused by the name of the field: %j", (json, message) => {
    expect(() => parsePolicies(json)).toThrow(new TypeError(message).message);
    expect(() => parsePolicies(json)).toThrow(TypeError);
  });
});

test("policies from outside that are wrong are named, in a message that can be logged", () => {
  const long = "x".repeat(5_000_000);
  const deep = JSON.parse(`${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`);
  for (const policies of [
    ...[{ [long]: {} }, { network: { [long]: 1 } }, { network: long }, { network: { jitter: long } }],
    ...[{ network: { initialMs: deep } }, { network: Array(1_000_000).fill("stop") }, { network: { maxMs: [long] } }],
    JSON.parse('{"__proto__":{"network":"stop"}}'),
    JSON.parse('{"network":{"maxMs":1e400}}'),
  ]) {
    let message = "";
    try {
      parsePolicies(policies);
    } catch (error) {
      message = error instanceof TypeError ? error.message : "";
    }
    expect(message).toMatch(/^policies\./);
    expect(message.length).toBeLessThan(1_000);
  }
});

describe("a wait", () => {
  test.each([0, 1, 0.5, 2 ** 40])("of %d ms is waited for as it is", (ms) => {
    expect(finiteMs(ms)).toBe(ms);
  });

  test.each([Number.NaN, -1, Infinity, -Infinity, "5", null, undefined])("of %o is a long one", (ms) => {
    expect(finiteMs(ms as number)).toBe(45_000);
    expect(finiteMs(ms as number, 7)).toBe(7);
  });
});

describe("the rate limit", () => {
  const limit = { burst: 5, perMs: 60_000 };

  test.each([Number.NaN, 0, -1, Infinity, "5", null, undefined])("of %o is the default one", (value) => {
    const wrong = [
      { ...limit, burst: value },
      { ...limit, perMs: value },
    ] as RateLimit[];
    for (const given of wrong) {
      expect(fullBucket(given, now)).toEqual({ tokens: 5, at: now });
      expect(take(given, { tokens: 0, at: now }, now).at).toBe(now + 12_000);
    }
  });

  test.each([Number.NaN, Infinity, -Infinity, "5", undefined])("takes a bucket with %o for an empty one", (value) => {
    const wrong = [
      { tokens: value, at: now },
      { tokens: 5, at: value },
    ] as Bucket[];
    for (const bucket of wrong) {
      expect(take(limit, bucket, now)).toEqual({ bucket: { tokens: 0, at: now + 12_000 }, at: now + 12_000 });
    }
  });

  test("lets no more through in any window than its burst and its refill", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { minLength: 10, maxLength: 60 }), (gaps) => {
        let bucket = fullBucket(limit, now);
        const times: number[] = [];
        let wanted = now;
        for (const gap of gaps) {
          wanted += gap;
          const taken = take(limit, bucket, wanted);
          expect(taken.at).toBeGreaterThanOrEqual(wanted);
          bucket = taken.bucket;
          wanted = taken.at;
          times.push(taken.at);
        }
        for (const from of times) {
          const within = times.filter((at) => at >= from && at < from + limit.perMs).length;
          expect(within).toBeLessThanOrEqual(2 * limit.burst);
        }
      }),
    );
  });

  test("lends no more than a burst ahead, and nothing where that is not asked for", () => {
    let bucket = fullBucket(limit, 0);
    const taken = (ahead: boolean) => {
      const { bucket: rest, at } = take(limit, bucket, 0, ahead);
      if (at === 0) bucket = rest;
      return at === 0;
    };
    const those = (count: number) => Array.from({ length: count });
    expect(those(limit.burst + 3).filter(() => taken(false))).toHaveLength(limit.burst);
    expect(those(limit.burst + 3).filter(() => taken(true))).toHaveLength(limit.burst);
    expect(take(limit, bucket, 0).at).toBe(((limit.burst + 1) * limit.perMs) / limit.burst); // what was lent is paid back
    expect(take(limit, { tokens: -1e9, at: 0 }, 0)).toEqual(take(limit, bucket, 0)); // nobody owes more
  });

  test("refills nothing when the clock is set back", () => {
    let bucket = { tokens: 0, at: now };
    const taken = take(limit, bucket, now - 3_600_000);
    expect(taken.at).toBe(now - 3_600_000 + 12_000);
    bucket = taken.bucket;
    expect(bucket.tokens).toBe(0);
  });
});
