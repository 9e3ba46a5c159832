import { pausedBy } from "../disconnect/classify.js";
import { afterPause } from "../policy/policy.js";
import { become, type Effect, type Step, stay } from "./effect.js";
import { event, type SessionEvent } from "./events.js";
import type { InputOf } from "./input.js";
import { fallen, floorMs, outageOf } from "./outage.js";
import { away } from "./queue.js";
import { schedule } from "./schedule.js";
import type { Moment, Rules, State } from "./state.js";

// The arrows to "paused" and away from it. A pause is no failure: it counts no attempt, and no policy is asked.

/** The device or the page cannot go on: its streams are let go of. Nothing happens where there are none to hold. */
export function paused(state: State, { why }: Omit<InputOf<"paused">, "type">, _: Rules, moment: Moment): Step {
  const { phase, bucket } = state;
  const { status } = phase;
  const held = state.streams.filter(({ reopenable }) => reopenable);
  const [first] = held;
  if (!first || status === "ended" || status === "closed") return stay(state);
  const disconnect = pausedBy(why);
  const letGoOf = held.filter(({ label }) => !state.queue.includes(label.id));
  const lost = letGoOf.map(({ label: stream }) => event("streamLost", { stream, disconnect }));
  const effects = letGoOf.map(({ label }): Effect => ({ type: "hold", stream: label.id }));
  const queue = [...state.queue, ...letGoOf.map(({ label }) => label.id)];
  const streams = state.streams.map((facts) =>
    letGoOf.includes(facts) ? { ...away(facts, moment.now), returning: true } : facts,
  );
  const waiting: State = { ...state, queue, streams };
  if (status === "paused" && phase.why === why) return { state: waiting, events: lost, effects };

  const before = outageOf(phase, moment.now);
  const events: SessionEvent[] = [];
  if (!before) events.push(event("disconnected", { disconnect, stream: first.label }));
  // The page's own pauses are no news of the network.
  const told = before?.told ?? [];
  const news = why === "offline" && !told.includes("network");
  if (news) events.push({ type: disconnect.reason, payload: disconnect } as SessionEvent);
  events.push(event("paused", { why }), ...lost);
  const lasting = before?.down ? before.disconnect : disconnect;
  const outage = { ...fallen(before, lasting, moment), row: undefined, told: news ? [...told, "network"] : told };
  const refresh = status === "refreshing" || ("refresh" in phase && phase.refresh);
  const unspent = "refund" in phase ? phase.refund : bucket;
  return {
    ...become({ ...waiting, bucket: unspent }, { status: "paused", outage, why, refresh }, events),
    effects,
  };
}

/** It can go on: the next attempt is scheduled, where somebody waits for it. */
export function resumed(state: State, _: unknown, rules: Rules, moment: Moment): Step {
  const { phase } = state;
  if (phase.status !== "paused") return stay(state);
  const { outage, refresh } = phase;
  const leastMs = Math.max(0, floorMs(outage, moment));
  if (!state.streams.some(({ reopenable }) => reopenable)) {
    return become(state, { status: "waiting", outage, until: moment.now + leastMs, refresh, refund: state.bucket });
  }
  const { afterMs, why } = afterPause(rules.policies, phase.why, moment.random);
  const decision = { action: "reconnect", afterMs: Math.max(afterMs, leastMs), why } as const;
  return schedule(state, outage, decision, rules, moment);
}
