import type { Disconnect } from "../disconnect/disconnect.js";
import { become, type Step, stay } from "./effect.js";
import { event, type SessionEvent } from "./events.js";
import type { InputOf } from "./input.js";
import { schedule } from "./schedule.js";
import type { Moment, Rules, State } from "./state.js";

// What comes of a refresh, and what is done where one is due. A refresh that nobody waits for changes no phase.

/** There are new credentials: the wait begins, or is over. */
export function refreshed(before: State, _: unknown, rules: Rules, moment: Moment): Step {
  const { phase } = before;
  const state = { ...before, credentialsAt: moment.now, refreshFailures: 0 };
  if (phase.status === "paused" || phase.status === "waiting") return become(state, { ...phase, refresh: false });
  if (phase.status !== "refreshing") return stay(state);
  const { outage, afterMs, why, refund } = phase;
  const decision = { action: "reconnect", afterMs, why: `${why}, credentials refreshed` } as const;
  return schedule({ ...state, bucket: refund }, outage, decision, rules, moment);
}

/** Nobody is signed in any more. Where the server had refused the credentials, it was the server who said so. */
export function refused(state: State, { disconnect: local, why }: InputOf<"refused">): Step {
  const { phase } = state;
  if (phase.status === "ended") return stay(state);
  const known = phase.status === "refreshing" ? phase.outage.disconnect : local;
  return ended(state, known.reason === local.reason ? known : local, why);
}

function ended(state: State, disconnect: Disconnect, why: string, events: readonly SessionEvent[] = []): Step {
  return become(state, { status: "ended", disconnect, why }, [...events, event("ended", { disconnect, why })]);
}

/** Where streams wait for credentials, they are asked for again, as the policy says. */
export function refreshFailed(
  before: State,
  { error, decision }: InputOf<"refresh failed">,
  rules: Rules,
  moment: Moment,
): Step {
  const { phase } = before;
  const attempt = before.refreshFailures + 1;
  const state = { ...before, refreshFailures: attempt };
  const reconnects = decision.action === "reconnect";
  const afterMs = reconnects ? decision.afterMs : undefined;
  const failed = event("refreshFailed", { error, attempt, afterMs });
  if (phase.status !== "refreshing") return { ...stay(state), events: [failed] };
  const { outage } = phase;
  if (!reconnects) return ended(state, outage.disconnect, decision.why, [failed]);
  const later = { ...outage, previousMs: decision.afterMs };
  return schedule(state, later, { ...decision, refresh: true }, rules, moment, [failed]);
}

/** The next attempt is to have new credentials. Where none is waited for, they are got without the streams noticing. */
export function refreshDue(state: State): Step {
  const { phase, queue } = state;
  const { status } = phase;
  if (status === "paused" || (status === "waiting" && queue.length > 0))
    return become(state, { ...phase, refresh: true });
  switch (status) {
    case "waiting":
    case "healthy":
    case "probing":
    case "recovering":
      return { ...stay(state), effects: [{ type: "start refresh" }] };
    default: // they are on their way, or not wanted
      return stay(state);
  }
}

/** Streams wait for new credentials: those of now are known to be bad. */
export function needsCredentials({ phase, queue }: State): boolean {
  return phase.status === "refreshing" || ("refresh" in phase && phase.refresh && queue.length > 0);
}
