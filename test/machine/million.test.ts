import { expect, test } from "vitest";
import { builtInReasons, type Disconnect } from "../../src/index.js";
import type { Input } from "../../src/machine/input.js";
import { attemptAt, attemptOfVerdict } from "../../src/machine/lost.js";
import { factsOf } from "../../src/machine/queue.js";
import { begin, type Moment, type Rules, type State } from "../../src/machine/state.js";
import { step } from "../../src/machine/step.js";
import { wakeAt } from "../../src/machine/wake-at.js";
import { decide, resolvePolicies } from "../../src/policy/policy.js";
import { pick, seeded } from "../seeded.js";
import { disconnect, label, now as start, wall } from "./states.js";

// A million inputs, at random but from a seed, as a session can have them: only who has been let go can be lost or opened.
// After each one the promises of the machine are looked at.

const steps = 1_000_000;
const hour = 3_600_000;
const walkLength = 500; // then another session begins, with other rules

interface Walk {
  readonly rules: Rules;
  readonly random: () => number;
  state: State;
  now: number;
  /** How far the wall clock is ahead of the other. People set it. */
  wallAhead: number;
  nextId: number;
  /** Who was let go, and has neither ended nor been lost since. */
  readonly out: Set<number>;
  /** Who was stopped, and is to leave. */
  readonly stopped: number[];
  /** What told the app of the outage so far. */
  readonly told: Set<string>;
  /** The attempts that stood for all, as a bucket of the test's own. */
  tokens: number;
  filledAt: number;
  readonly seen: Map<string, number>;
}

function begun(seed: number, seen: Map<string, number>): Walk {
  const random = seeded(seed);
  const rules: Rules = {
    policies: resolvePolicies(
      { throttled: "stop", aborted: { maxAttempts: 2 }, network: { jitter: pick(random, ["full", "none"]) } },
      builtInReasons,
    ),
    rateLimit: { burst: 5, perMs: 60_000 },
    healthyAfterMs: 10_000,
    canRefresh: random() < 0.7,
    abortedMeans: undefined,
    timesHeaders: random() < 0.3,
    takesTurns: random() < 0.3,
  };
  return {
    ...{
      rules,
      random,
      state: begin(rules, start),
      now: start,
      wallAhead: wall - start,
      nextId: 1,
      out: new Set(),
      stopped: [],
      told: new Set(),
    },
    ...{ tokens: 5, filledAt: start, seen },
  };
}

/** What may happen next. */
function inputFor(walk: Walk, moment: Moment): Input {
  const { random, state, rules } = walk;
  const stopped = walk.stopped.pop();
  if (stopped !== undefined) return { type: "left", stream: stopped };
  const someone = pick(random, [...walk.out]);
  const anyone = pick(
    random,
    state.streams.map(({ label }) => label.id),
  );
  const chance = random();
  if (chance < 0.14 || anyone === undefined) {
    const stream = { label: label(walk.nextId++), reopenable: random() < 0.9, resumes: random() < 0.5 };
    return { type: "joined", stream, pause: random() < 0.03 ? "offline" : undefined };
  }
  if (chance < 0.34) return { type: "woken" };
  if (chance < 0.4) return { type: "left", stream: anyone };
  if (chance < 0.43) return { type: "paused", why: pick(random, ["offline", "hidden", "frozen", "asleep"]) };
  if (chance < 0.48) return { type: "resumed" };
  if (chance < 0.5) return { type: "retry asked" };
  if (chance < 0.54) return aboutCredentials(walk, moment);
  if (chance < 0.56) return { type: "turn came" };
  if (chance < 0.57) return { type: "window", windowMs: random() < 0.5 ? undefined : random() * 60_000 };
  if (chance < 0.575) return { type: "closed" };
  if (chance < 0.59) return { type: "restarted" };
  const spoken = random() < 0.3;
  const reason =
    chance < 0.6 || spoken
      ? pick(random, builtInReasons)
      : pick(random, ["network", "network", "aborted", "unauthenticated"] as const);
  const how = spoken ? { said: true, source: "detail" } : { source: "transport" };
  const retryAt = random() < 0.5 ? undefined : new Date(moment.wall + random() * 20_000);
  const told = disconnect(reason, reason === "maintenance" ? { ...how, retryAt } : how) as Disconnect;
  if (chance < 0.6) {
    const decision = decide(rules.policies, told, attemptOfVerdict(state, rules, moment));
    return { type: "verdict", disconnect: told, decision };
  }
  if (someone === undefined) return { type: "asked again", stream: anyone };
  if (chance < 0.72) return { type: "opened", stream: someone, first: random() < 0.5 };
  if (chance < 0.78) return { type: "delivered", stream: someone, reopenable: random() < 0.95 };
  if (chance < 0.795) return { type: "answered", stream: someone };
  const known = factsOf(state, someone);
  if (chance < 0.8 && known) {
    const { label, reopenable } = known; // it begins anew
    return { type: "joined", stream: { label, reopenable, resumes: false }, pause: undefined };
  }
  const loss = { stream: someone, disconnect: told, sentAt: moment.now - random() * 10_000 };
  const attempt = attemptAt(state, loss, rules, moment);
  if (!attempt) return { type: "woken" };
  const reopenable = factsOf(state, someone)?.reopenable ?? false;
  return {
    type: "lost",
    ...loss,
    reopenable,
    resumes: random() < 0.5,
    decision: decide(rules.policies, told, attempt),
  };
}

function aboutCredentials({ random, state, rules }: Walk, moment: Moment): Input {
  const chance = random();
  if (chance < 0.5) return { type: "refreshed" };
  if (chance < 0.7) return { type: "refresh due" };
  if (chance < 0.71) return { type: "refused", disconnect: disconnect("unauthenticated"), why: "signed out" };
  const decision = decide(rules.policies, disconnect("network"), attemptOfVerdict(state, rules, moment));
  return { type: "refresh failed", error: undefined, decision };
}

function assert(holds: boolean, promise: string): void {
  if (!holds) throw new Error(promise);
}

/** One input, and all promises after it. */
function walkOn(walk: Walk): void {
  const { random, rules, out, told } = walk;
  const alarm = wakeAt(walk.state);
  walk.now =
    alarm !== undefined && random() < 0.4 ? Math.max(walk.now, alarm) : walk.now + Math.floor(random() * 3_000);
  if (random() < 0.02) walk.wallAhead = wall - start + pick(random, [-hour, 0, hour]);
  const moment = { now: walk.now, wall: walk.now + walk.wallAhead, random: random() };
  const before = walk.state;
  const input = inputFor(walk, moment);
  const { state, events, effects } = step(before, input, rules, moment);
  walk.state = state;
  walk.seen.set(input.type, (walk.seen.get(input.type) ?? 0) + 1);
  walk.seen.set(state.phase.status, (walk.seen.get(state.phase.status) ?? 0) + 1);
  const { phase, queue, prober, streams } = state;
  const { status } = phase;

  if ("stream" in input && typeof input.stream === "number" && (input.type === "lost" || input.type === "left"))
    out.delete(input.stream);
  if (input.type === "joined") out.delete(input.stream.label.id);
  for (const effect of effects) {
    if (effect.type === "hold") out.delete(effect.stream);
    if (effect.type === "stop") {
      walk.stopped.push(...effect.streams);
      for (const id of effect.streams) out.delete(id);
    }
    if (effect.type !== "let go") continue;
    const facts = factsOf(state, effect.stream);
    assert(!queue.includes(effect.stream), "who is let go waits no more");
    const mayGo = status === "healthy" || status === "recovering" || prober?.stream === effect.stream;
    assert(mayGo || facts?.reopenable === false, `a stream that is reopened is let go while ${status}`);
    out.add(effect.stream);
  }

  if (status === "probing" && before.phase.status !== "probing") {
    const { burst, perMs } = rules.rateLimit ?? { burst: 1, perMs: 1 };
    walk.tokens = Math.min(burst, walk.tokens + ((walk.now - walk.filledAt) * burst) / perMs) - 1;
    walk.filledAt = walk.now;
    assert(walk.tokens > -1e-6, "a probe beyond the rate limit");
  }
  assert((prober !== undefined) === (status === "probing"), "a prober where nobody probes, or none where one does");
  assert(!prober || factsOf(state, prober.stream) !== undefined, "a prober that is no stream");
  assert(new Set(queue).size === queue.length, "who waits twice");
  for (const id of queue) assert(factsOf(state, id)?.reopenable === true, "who waits in vain");
  for (const id of streams.map(({ label }) => label.id))
    assert(queue.includes(id) || out.has(id) || walk.stopped.includes(id), "a stream is forgotten");
  if (status === "healthy" || status === "recovering") assert(queue.length === 0, "nobody waits where all may go");
  if (status === "ended" || status === "closed") assert(streams.length === 0, `a stream lives on, ${status}`);
  if (status === "waiting" && queue.length > 0) assert(wakeAt(state) !== undefined, "a wait without an alarm");
  if (status === "waiting") assert(phase.until < walk.now + hour / 4, "a wait that a clock has made longer");
  if (status === "probing" && (!rules.timesHeaders || prober?.opened))
    assert(wakeAt(state) !== undefined, "a probe without");
  if (before.phase.status === "closed") assert(state === before || state.phase === before.phase, "closed is for good");
  if (before.phase.status === "ended" && input.type !== "restarted" && input.type !== "closed")
    assert(phase === before.phase, "ended is until a restart");

  for (const { type, payload } of events) {
    if (type === "disconnected") told.clear();
    if (type === "ended") assert(status === "ended", "an end is told that is none");
    if (type === "reconnecting") {
      assert((payload as { afterMs: number }).afterMs >= 1, "an attempt in the tick of the failure");
      assert(phase.status === "waiting" && phase.until > walk.now, "an attempt is told that is not waited for");
    }
    if (!(builtInReasons as readonly string[]).includes(type) || input.type === "verdict") continue;
    assert(!told.has(type), `${type} is told twice in an outage`);
    told.add(type);
  }
}

test("a million random inputs break no promise of the machine", () => {
  const seen = new Map<string, number>();
  let walk = begun(0, seen);
  for (let n = 0; n < steps; n++) {
    if (n % walkLength === 0) walk = begun(n, seen);
    try {
      walkOn(walk);
    } catch (error) {
      throw new Error(
        `${error instanceof Error ? error.message : error}: step ${n % walkLength} of the walk with seed ${n - (n % walkLength)}`,
        { cause: error },
      );
    }
  }
  // A promise that was never looked at says nothing: each phase and each input came, and often.
  for (const what of [
    "healthy",
    "waiting",
    "probing",
    "recovering",
    "refreshing",
    "paused",
    "ended",
    "closed",
    "lost",
  ]) {
    expect([what, (seen.get(what) ?? 0) > 5_000]).toEqual([what, true]);
  }
}, 240_000);
