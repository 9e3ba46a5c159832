import type { Disconnect } from "../disconnect/disconnect.js";
import { afterPause } from "../policy/policy.js";
import type { Pause } from "../ports/environment.js";
import { event, type SessionEvent, type StreamLabel } from "./events.js";
import type { Moment, Rules, State, Step } from "./state.js";
import { become, fallen, floorOf, outageOf, schedule } from "./transition.js";

// The arrows to "paused" and away from it. A pause is no failure: it counts no attempt, and no policy is asked.

/** The device or the page cannot go on. `stream`: one that is let go of, if there is any. */
export function paused(
  state: State,
  why: Pause,
  disconnect: Disconnect,
  stream: StreamLabel | undefined,
  rules: Rules,
  now: number,
): Step {
  const { phase, bucket } = state;
  const { status } = phase;
  if (status === "ended" || status === "closed" || (status === "paused" && phase.why === why)) {
    return { state, events: [] };
  }
  const before = outageOf(phase, rules, now);
  const events: SessionEvent[] = [];
  if (!before && stream) events.push(event("disconnected", { disconnect, stream }));
  // The page's own pauses are no news of the network.
  const told = before?.told ?? [];
  const news = why === "offline" && !told.includes("network");
  if (news) events.push({ type: disconnect.reason, payload: disconnect } as SessionEvent);
  events.push(event("paused", { why }));
  const lasting = before?.down ? before.disconnect : disconnect;
  const outage = { ...fallen(before, lasting, now), told: news ? [...told, "network"] : told };
  const refresh = status === "refreshing" || (status === "paused" && phase.refresh);
  const unspent = status === "waiting" ? phase.refund : bucket;
  return become({ ...state, bucket: unspent }, { status: "paused", outage, why, refresh }, events);
}

/** It can go on. `waiting`: somebody waits for it. */
export function resumed(state: State, waiting: boolean, rules: Rules, { now, random }: Moment): Step {
  const { phase } = state;
  if (phase.status !== "paused") return { state, events: [] };
  const { outage, refresh } = phase;
  const { disconnect } = outage;
  const floor = floorOf(disconnect);
  if (!waiting) {
    return become(state, { status: "waiting", outage, until: floor, refund: state.bucket }, []);
  }
  const { afterMs, why } = afterPause(rules.policies, phase.why, random);
  const decision = { action: "reconnect", afterMs: Math.max(afterMs, floor - now), refresh, why } as const;
  return schedule(state, outage, decision, rules, now, []);
}
