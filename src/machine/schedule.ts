import { finiteMs } from "../policy/finite-ms.js";
import { type Decision, seconds, shortestTicketMs } from "../policy/policy.js";
import { type Bucket, take } from "../policy/rate-limit.js";
import { become, type Step, stay } from "./effect.js";
import { event, type SessionEvent } from "./events.js";
import { floorMs } from "./outage.js";
import { probe } from "./queue.js";
import type { Moment, Outage, Rules, State } from "./state.js";

/** The turn to probe is not waited for longer than this, or twice this: a tab that hangs must not hold the others. */
const turnMs = 10_000;

/** Credentials are not got longer than this before they are used: short ones would have ended. */
const freshMs = 2_000;

/** A refresh that has been on its way for less long does not seem to hang: where tokens rotate, a second one costs the login. */
const patienceMs = 1_000;

/** The next attempt: after new credentials, if they are needed; never in the tick of the failure; within the rate limit. */
export function schedule(
  before: State,
  outage: Outage,
  decision: Extract<Decision, { action: "reconnect" }>,
  rules: Rules,
  moment: Moment,
  events: readonly SessionEvent[] = [],
): Step {
  const { now } = moment;
  const { afterMs, why } = decision;
  const { phase } = before;
  const refresh = rules.canRefresh && (decision.refresh === true || ("refresh" in phase && phase.refresh));
  const state = refresh ? { ...before, credentialsAt: undefined } : before;
  // At least a millisecond: reopening in the tick of the failure crashes Node (connectrpc/connect-es#1768).
  const wantedAt = now + Math.max(1, Math.ceil(finiteMs(afterMs)));
  const { bucket, at } = taken(state, rules, wantedAt, isTicket(outage, moment));
  if (refresh && phase.status !== "refreshing" && at - now <= freshMs) {
    return become(state, { status: "refreshing", outage, askedAt: now, afterMs, why, refund: state.bucket }, events);
  }
  const held = at > wantedAt ? `; held ${seconds(at - wantedAt)} by the rate limit` : "";
  const reconnecting = event("reconnecting", {
    disconnect: outage.disconnect,
    attempt: outage.attempts + 1,
    afterMs: at - now,
    why: why + held,
  });
  const waiting = { status: "waiting", outage, until: at, refresh, refund: state.bucket } as const;
  return become({ ...state, bucket }, waiting, [...events, reconnecting]);
}

/** The server keeps this moment free for us: to come later would be worse than to use tokens ahead. */
function isTicket(outage: Outage, moment: Moment): boolean {
  const { disconnect } = outage;
  return "reserved" in disconnect && disconnect.reserved === true && floorMs(outage, moment) >= shortestTicketMs;
}

/** When an attempt may go out that is wanted at `wantedAt`, and the bucket without its token. */
export function taken(
  { bucket }: State,
  { rateLimit }: Rules,
  wantedAt: number,
  ahead = false,
): { readonly bucket: Bucket; readonly at: number } {
  return rateLimit ? take(rateLimit, bucket, wantedAt, ahead) : { bucket, at: wantedAt };
}

/**
 * Somebody new wants in, or says to try now: the wait ends as soon as the rate limit lets it, but never before the time
 * that the server gave.
 */
export function retryNow(state: State, _: unknown, rules: Rules, moment: Moment): Step {
  const { phase } = state;
  if (phase.status !== "waiting") return stay(state);
  const { now } = moment;
  const { disconnect, attempts } = phase.outage;
  const { bucket, at } = taken(
    { ...state, bucket: phase.refund },
    rules,
    now + Math.max(1, floorMs(phase.outage, moment)),
  );
  if (!(at < phase.until)) return stay(state);
  const why = `${disconnect.reason}: asked to try now`;
  const reconnecting = event("reconnecting", { disconnect, attempt: attempts + 1, afterMs: at - now, why });
  return become({ ...state, bucket }, { ...phase, until: at }, [reconnecting]);
}

/** The app says to try now. A refresh that seems to hang is given up, and asked for anew. */
export function retryAsked(state: State, _: unknown, rules: Rules, moment: Moment): Step {
  const { phase } = state;
  if (phase.status !== "refreshing") return retryNow(state, _, rules, moment);
  if (moment.now - phase.askedAt < patienceMs) return stay(state);
  const { outage } = phase;
  const why = `${outage.disconnect.reason}: asked to try now`;
  return schedule(state, outage, { action: "reconnect", afterMs: 0, refresh: true, why }, rules, moment);
}

/** The wait is over: credentials are got, or one stream probes for all; of several tabs, the one whose turn it is. */
export function woken(state: State, rules: Rules, { now, random }: Moment): Step {
  const { phase, queue, turnUntil } = state;
  if (phase.status !== "waiting" || phase.until > now || queue.length === 0) return stay(state);
  if (phase.refresh) {
    const { outage, refund } = phase;
    const why = `${outage.disconnect.reason}: now`;
    return become(state, { status: "refreshing", outage, askedAt: now, afterMs: 0, why, refund });
  }
  if (!rules.takesTurns || (turnUntil !== undefined && turnUntil <= now)) return probe(state, rules, now);
  if (turnUntil !== undefined) return stay(state);
  // Up to twice, for tabs that wait together must not all give up together.
  return { ...stay({ ...state, turnUntil: now + turnMs * (1 + random) }), effects: [{ type: "take turn" }] };
}
