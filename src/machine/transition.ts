import type { Disconnect } from "../disconnect/disconnect.js";
import { type Decision, decide, seconds, shortestTicketMs } from "../policy/policy.js";
import { type Bucket, take } from "../policy/rate-limit.js";
import { event, type SessionEvent, type StreamLabel } from "./events.js";
import type { Loss, Moment, Outage, Phase, Rules, State, Step, Verdict } from "./state.js";

// One function for each arrow in state.ts: it takes what happened and returns the next state, the events to emit and
// what the stream in question is to do. gate.ts carries it out.

/** A stream was lost, or could not be opened. */
export function lost(
  state: State,
  loss: Loss,
  rules: Rules,
  { now, random }: Moment,
): Step & { readonly verdict: Verdict } {
  const { phase } = state;
  const { disconnect, stream, knocker, newcomer, alone, reopenable } = loss;
  if (phase.status === "ended" || phase.status === "closed") {
    return { state, events: [], verdict: { action: "stop", why: `the session has ${phase.status}` } };
  }
  const past = phase.status === "following" && phase.outage.gaveUp && newcomer;
  const before = past ? undefined : outageOf(phase, rules, now);
  // Of twenty streams lost together the first is news. So is the failure of an attempt, and a relapse.
  const abandoned = phase.status === "waiting" && alone; // who waited has left
  const news = before === undefined || knocker || abandoned || phase.status === "following";
  const { reason } = disconnect;
  if (disconnect.source === "local") return { state, events: [], verdict: { action: "wait" } }; // told by the pause
  const counts = { ...before?.counts };
  counts[reason] = news ? (counts[reason] ?? 0) + 1 : (counts[reason] ?? 1);
  const { policies, canRefresh } = rules;
  const previousMs = before?.previousMs ?? 0;
  const decision = decide(policies, disconnect, {
    number: counts[reason],
    previousMs,
    now,
    random,
    canRefresh,
    windowMs: state.windowMs,
  });

  const told = before?.told ?? [];
  const events: SessionEvent[] = [];
  if (!before) events.push(event("disconnected", { disconnect, stream }));
  if (!told.includes(reason)) events.push({ type: reason, payload: disconnect } as SessionEvent);

  // A bare status on a call that is not followed is that call's answer, and says nothing about the session.
  if (decision.action === "end" && (reopenable || isSpoken(disconnect))) {
    events.push(event("ended", { disconnect, why: decision.why }));
    return { ...become(state, { status: "ended", disconnect, why: decision.why }, events), verdict: decision };
  }
  const outage = { ...fallen(before, disconnect, now), counts, told: told.includes(reason) ? told : [...told, reason] };
  if (decision.action !== "reconnect" || !reopenable) {
    const why = decision.action !== "reconnect" ? decision.why : `${reason}: this stream is not reopened`;
    const verdict: Verdict = { action: knocker && reopenable ? "stop-all" : "stop", why };
    // Others may still be waiting for their own attempt. Otherwise the outage is over, and remembered only so that
    // streams lost together are told once.
    const step =
      before && !knocker
        ? remember(state, { told: outage.told, gaveUp: outage.gaveUp || reopenable }, events)
        : become(state, follow({ ...outage, down: false, counts: {} }, now, false), events);
    return { ...step, verdict };
  }
  const verdict: Verdict = { action: "wait" };
  const waiting = { ...outage, previousMs: decision.afterMs };
  if (phase.status === "paused") return { ...remember(state, { told: outage.told }, events), verdict };
  const unspent = abandoned ? { ...state, bucket: phase.refund } : state;
  if (news) return { ...schedule(unspent, waiting, decision, rules, now, events), verdict };
  // The server's own word about one stream counts for all that wait, even if another was cut before it was said.
  if (phase.status === "waiting" && disconnect.said && !phase.outage.disconnect.said) {
    const patient = { ...decision, afterMs: Math.max(decision.afterMs, phase.until - now) };
    // The attempt takes its token anew, for the later time.
    return { ...schedule({ ...state, bucket: phase.refund }, waiting, patient, rules, now, events), verdict };
  }
  return { ...remember(state, { told: outage.told }, events), verdict };
}

/** The outage that a phase is in, if it has not recovered. */
export function outageOf(phase: Phase, rules: Rules, now: number): Outage | undefined {
  return "outage" in phase && !isHealthy(phase, rules, now) ? phase.outage : undefined;
}

/** The path is down: the outage of before, or a new one. */
export function fallen(before: Outage | undefined, disconnect: Disconnect, now: number): Outage {
  const attempts = before?.attempts ?? 0;
  return {
    counts: {},
    previousMs: 0,
    gaveUp: false,
    told: [],
    attempts,
    ...before,
    downAt: before?.down ? before.downAt : now,
    attemptsBefore: before?.down ? before.attemptsBefore : attempts,
    down: true,
    disconnect,
  };
}

/** The outage goes on as it was, with a little more known of it. */
function remember(
  state: State,
  known: Partial<Pick<Outage, "told" | "gaveUp">>,
  events: readonly SessionEvent[],
): Step {
  const { phase } = state;
  if (!("outage" in phase)) return { state, events };
  const outage = { ...phase.outage, ...known };
  if (outage.told === phase.outage.told && outage.gaveUp === phase.outage.gaveUp) return { state, events };
  return become(state, { ...phase, outage }, events);
}

/** Read from the server's own words about this client, not from a status. */
export function isSpoken({ source }: Disconnect): boolean {
  return source === "detail" || source === "trailer" || source === "notice";
}

/** A stream that never sent headers but was not refused either may be a quiet one, or hang: that takes longer to tell. */
export function healthyAt({ openedAt, outage }: Extract<Phase, { status: "following" }>, rules: Rules): number {
  return openedAt + rules.healthyAfterMs * (outage.down ? 6 : 1);
}

function isHealthy(phase: Phase, rules: Rules, now: number): boolean {
  return phase.status === "following" && healthyAt(phase, rules) <= now;
}

export function schedule(
  state: State,
  outage: Outage,
  decision: Extract<Decision, { action: "reconnect" }>,
  rules: Rules,
  now: number,
  events: readonly SessionEvent[],
): Step {
  const { afterMs, why } = decision;
  if (decision.refresh && rules.canRefresh)
    return become(state, { status: "refreshing", outage, afterMs, why }, events);
  // At least a millisecond: reopening in the tick of the failure crashes Node (connectrpc/connect-es#1768).
  const wantedAt = now + Math.max(1, Math.ceil(afterMs));
  const { bucket, at } = isTicket(outage.disconnect, now)
    ? { bucket: state.bucket, at: wantedAt }
    : taken(state, rules, wantedAt);
  const held = at > wantedAt ? `; held ${seconds(at - wantedAt)} by the rate limit` : "";
  const reconnecting = event("reconnecting", {
    disconnect: outage.disconnect,
    attempt: outage.attempts + 1,
    afterMs: at - now,
    why: why + held,
  });
  return become({ ...state, bucket }, { status: "waiting", outage, until: at, refund: state.bucket }, [
    ...events,
    reconnecting,
  ]);
}

/** The server keeps this moment free for us: to come later would be worse than to come often. */
function isTicket(disconnect: Disconnect, now: number): boolean {
  if (!("reserved" in disconnect) || !disconnect.reserved || !(disconnect.retryAt instanceof Date)) return false;
  return disconnect.retryAt.getTime() - now >= shortestTicketMs;
}

/** When an attempt may go out that is wanted at `wantedAt`, and the bucket without its token. */
function taken(
  { bucket }: State,
  { rateLimit }: Rules,
  wantedAt: number,
): { readonly bucket: Bucket; readonly at: number } {
  return rateLimit ? take(rateLimit, bucket, wantedAt) : { bucket, at: wantedAt };
}

/** The refresh succeeded: the wait begins. */
export function refreshed(state: State, rules: Rules, now: number): Step {
  const { phase } = state;
  if (phase.status === "paused") return become(state, { ...phase, refresh: false }, []);
  if (phase.status !== "refreshing") return { state, events: [] };
  const { outage, afterMs, why } = phase;
  return schedule(
    state,
    outage,
    { action: "reconnect", afterMs, why: `${why}, credentials refreshed` },
    rules,
    now,
    [],
  );
}

/** The refresh gave a terminal answer: nobody is signed in any more. In a pause it is asked again after it. */
export function refused(state: State, why: string): Step {
  const { phase } = state;
  if (phase.status !== "refreshing") return { state, events: [] };
  const { disconnect } = phase.outage;
  return become(state, { status: "ended", disconnect, why }, [event("ended", { disconnect, why })]);
}

/** The wait is over, and one stream knocks. */
export function due(state: State): Step {
  const { phase } = state;
  if (phase.status !== "waiting") return { state, events: [] };
  const outage = { ...phase.outage, attempts: phase.outage.attempts + 1 };
  return become(state, { status: "knocking", outage }, []);
}

/**
 * Somebody new wants in, or says to try now: the wait ends as soon as the rate limit lets it, but never before the time
 * that the server gave.
 */
export function hastened(state: State, rules: Rules, now: number): Step {
  const { phase } = state;
  if (phase.status !== "waiting") return { state, events: [] };
  const { disconnect, attempts } = phase.outage;
  const { bucket, at } = taken({ ...state, bucket: phase.refund }, rules, Math.max(now + 1, floorOf(disconnect)));
  if (!(at < phase.until)) return { state, events: [] };
  const reconnecting = event("reconnecting", {
    disconnect,
    attempt: attempts + 1,
    afterMs: at - now,
    why: `${disconnect.reason}: asked to try now`,
  });
  return become({ ...state, bucket }, { ...phase, until: at }, [reconnecting]);
}

/** Before this time, epoch ms, the server does not want to see us. */
export function floorOf(disconnect: Disconnect): number {
  return "retryAt" in disconnect && disconnect.retryAt instanceof Date ? disconnect.retryAt.getTime() : 0;
}

/** Where the session stands for who looks at it now: a timer may be late. */
export function visiblePhase({ phase }: State, rules: Rules, now: number): Phase {
  return isHealthy(phase, rules, now) ? live : phase;
}

export const live: Phase = { status: "live" };

/** The session may be healthy now: then nothing is left of the outage. */
export function recovered(state: State, rules: Rules, now: number): Step {
  return isHealthy(state.phase, rules, now) ? become(state, live, []) : { state, events: [] };
}

/** The knocker went away by itself, its attempt undecided: the next stream knocks as soon as the rate limit lets it. */
export function withdrawn(state: State, rules: Rules, now: number): Step {
  const { phase } = state;
  if (phase.status !== "knocking") return { state, events: [] };
  const { bucket, at } = taken(state, rules, now + 1);
  return become({ ...state, bucket }, { status: "waiting", outage: phase.outage, until: at, refund: state.bucket }, []);
}

/** The knocker was not refused: nothing came for long, or an answer that is no disconnect. The others may try too. */
export function unrefused(state: State, now: number): Step {
  const { phase } = state;
  if (phase.status !== "knocking") return { state, events: [] };
  return become(state, follow(phase.outage, now), []);
}

/** The knock was answered with something that is no disconnect: the path is open, though that stream is not. */
export function answered(state: State, now: number): Step {
  const { phase } = state;
  if (phase.status !== "knocking") return { state, events: [] };
  const { outage } = phase;
  const attempts = outage.attempts - outage.attemptsBefore;
  const events = state.connected
    ? [event("reconnected", { downMs: now - outage.downAt, attempts, gap: "unknown" })]
    : [];
  return become(state, follow({ ...outage, down: false }, now), events);
}

/** A stream is open. `first`: it never was before, so it is no part of an outage. */
export function opened(state: State, stream: StreamLabel, first: boolean, resumed: boolean, now: number): Step {
  const { phase } = state;
  const gap = resumed ? "resumed" : "unknown";
  const events = [first ? event("streamOpened", { stream }) : event("streamReopened", { stream, gap })];
  if (!state.connected) events.unshift(event("connected", { stream }));
  const known: State = { ...state, connected: true };
  if (phase.status !== "knocking" && phase.status !== "following") return { state: known, events };
  const { outage } = phase;
  if (outage.down && state.connected) {
    const attempts = outage.attempts - outage.attemptsBefore;
    events.unshift(event("reconnected", { downMs: now - outage.downAt, attempts, gap }));
  }
  if (first && !outage.down) return { state: known, events };
  return become(known, follow({ ...outage, down: false }, now), events);
}

/** A server's spoken verdict on a call that is not followed ends the session, where the policy says so. */
export function overheard(state: State, disconnect: Disconnect, rules: Rules, moment: Moment): Step {
  const { canRefresh, policies } = rules;
  const attempt = { number: 1, previousMs: 0, canRefresh, windowMs: state.windowMs, ...moment };
  const decision = decide(policies, disconnect, attempt);
  const { status } = state.phase;
  if (decision.action !== "end" || status === "ended" || status === "closed") return { state, events: [] };
  const { why } = decision;
  const events = [
    { type: disconnect.reason, payload: disconnect } as SessionEvent,
    event("ended", { disconnect, why }),
  ];
  return become(state, { status: "ended", disconnect, why }, events);
}

function follow(outage: Outage, openedAt: number, passed = true): Phase {
  return { status: "following", outage, openedAt, passed };
}

export function become(state: State, phase: Phase, events: readonly SessionEvent[]): Step {
  return { state: { ...state, phase }, events };
}
