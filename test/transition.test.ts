import fc from "fast-check";
import { expect, test } from "vitest";
import { pausedBy } from "../src/disconnect/classify.js";
import { builtInReasons, type Disconnect } from "../src/index.js";
import { paused, resumed } from "../src/machine/pause.js";
import type { Rules, State, Step } from "../src/machine/state.js";
import { due, lost, opened, overheard, refreshed, refused, unrefused, withdrawn } from "../src/machine/transition.js";
import { resolvePolicies } from "../src/policy/policy.js";
import { fullBucket } from "../src/policy/rate-limit.js";

const rules: Rules = {
  policies: resolvePolicies({ throttled: "stop" }, builtInReasons),
  rateLimit: { burst: 5, perMs: 60_000 },
  healthyAfterMs: 10_000,
  canRefresh: true,
};

const input = fc.record({
  name: fc.constantFrom(
    "lost",
    "due",
    "opened",
    "refreshed",
    "refused",
    "unrefused",
    "withdrawn",
    "overheard",
    "paused",
    "resumed",
  ),
  reason: fc.constantFrom(...builtInReasons),
  pause: fc.constantFrom("offline", "hidden", "frozen", "asleep"),
  afterMs: fc.nat(20_000),
  random: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  said: fc.boolean(),
  reopenable: fc.boolean(),
});

test("whatever happens in whatever order: promises hold", () => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 60 }), (inputs) => {
      let now = Date.UTC(2030, 0, 1);
      let state: State = {
        phase: { status: "live" },
        bucket: fullBucket({ burst: 5, perMs: 60_000 }, now),
        connected: false,
        windowMs: undefined,
      };
      let told: string[] = [];
      const stream = { id: 1, name: "chat.v1.ChatService/Subscribe" };
      for (const { name, reason, pause, afterMs, random, said, reopenable } of inputs) {
        now += afterMs;
        const disconnect = { reason, message: "", said, source: said ? "detail" : "status" } as Disconnect;
        const before = state;
        const knocker = state.phase.status === "knocking";
        const happen: { readonly [N in typeof name]: () => Step } = {
          lost: () =>
            lost(before, { disconnect, stream, knocker, newcomer: false, alone: said, reopenable }, rules, {
              now,
              random,
            }),
          due: () => due(before),
          opened: () => opened(before, stream, false, true, now),
          refreshed: () => refreshed(before, rules, now),
          refused: () => refused(before, "signed out"),
          unrefused: () => unrefused(before, now),
          withdrawn: () => withdrawn(before, rules, now),
          paused: () => paused(before, pause, pausedBy(pause), stream, rules, now),
          resumed: () => resumed(before, reopenable, rules, { now, random }),
          overheard: () => overheard(before, disconnect, rules, { now, random }),
        };
        const step = happen[name]();
        state = step.state;

        for (const { type, payload } of step.events) {
          // Each reason at most once in an outage, and an outage is announced once.
          if (type === "disconnected") told = [];
          if ((builtInReasons as readonly string[]).includes(type) && (name === "lost" || name === "paused")) {
            expect(told).not.toContain(type);
            told.push(type);
          }
          // Never in the tick of the failure, and exactly when the phase says.
          if (type === "reconnecting") {
            expect((payload as { afterMs: number }).afterMs).toBeGreaterThanOrEqual(1);
            expect(state.phase).toMatchObject({
              status: "waiting",
              until: now + (payload as { afterMs: number }).afterMs,
            });
          }
          if (type === "ended") expect(state.phase.status).toBe("ended");
        }
        if ("verdict" in step && (step.verdict as { action: string }).action === "wait") {
          expect(["waiting", "refreshing", "knocking", "paused"]).toContain(state.phase.status);
        }
        if (before.phase.status === "ended") {
          expect(state.phase).toBe(before.phase);
          expect(step.events.filter(({ type }) => !type.startsWith("stream") && type !== "connected")).toEqual([]);
        }
      }
    }),
    { numRuns: 3_000 },
  );
});
