import { checkDecision } from "#check";
import type { AppReason, Disconnect, Reason } from "../disconnect/disconnect.js";
import { type BuiltInReason, vocabulary } from "../disconnect/reasons.js";
import { atOnce } from "../ports/guarded.js";
import type { Pause } from "../ports/pause.js";
import { type Backoff, backoffMs } from "./backoff.js";

/**
 * Reconnect after a delay. JSON-serialisable. Every field has a default, by reason: see {@link defaultPolicies}. Where a
 * reason does not reconnect by default, `maxAttempts` must be named.
 */
export interface ReconnectPolicy extends Backoff {
  /**
   * Unhealthy endings in a row for this reason, after which to give up; `null` for no bound. A number is for every stream;
   * an object tells apart those that were healthy before.
   */
  readonly maxAttempts: number | null | MaxAttempts;
  /** What giving up means. `stop`: the waiting streams throw. `end`: the session ends. */
  readonly whenExhausted: "stop" | "end";
  /** The longest time in ms that a server can ask us to wait. */
  readonly maxServerMs: number;
}

/** When to give up, by what the stream has shown. `null`: never. */
export interface MaxAttempts {
  /** It was never healthy. */
  readonly neverHealthy: number | null;
  /** It was, or one that waits with it. */
  readonly onceHealthy: number | null;
  /** It was, but this ending may be for good: an error or an answer that would be thrown at once at a first opening. */
  readonly inDoubt: number | null;
}

/** What to do about a reason, as plain data. `stop`: the stream throws. `end`: the session and all its streams end. */
export type PolicyData = "stop" | "end" | Partial<ReconnectPolicy>;

/** Where data is not enough. Pure: `attempt` brings the time and the chance. */
export type PolicyFunction<R extends Reason = Reason> = (disconnect: Disconnect<R>, attempt: Attempt) => Decision;

/** What to do about a reason: data, or a function. */
export type Policy<R extends Reason = Reason> = PolicyData | PolicyFunction<R>;

/** A policy for each reason: optional for the built-in ones, required for those an app adds. */
export type Policies = { readonly [R in BuiltInReason]?: Policy<R> } & { readonly [R in AppReason]: Policy<R> };

/** The attempt that is to be decided on. */
export interface Attempt {
  /** Which unhealthy ending in a row this is for this reason; from 1. Another reason, a pause or a let-in begins a new row. */
  readonly number: number;
  /** Which unhealthy ending of this outage it is, whatever the reasons; from 1. Delays grow with it. */
  readonly ofOutage: number;
  /** Whether the stream, or one that waits with it, was healthy before. */
  readonly wasHealthy: boolean;
  /** The delay in ms before the last attempt of this outage, 0 if there was none. */
  readonly previousMs: number;
  /** Epoch ms, for dates that the server gave. */
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
  /** True where the session has a `refresh`. */
  readonly canRefresh: boolean;
  /** Over how many ms the server wants its clients to spread their return after a crash, if its control stream said so. */
  readonly windowMs: number | undefined;
}

/** What to do, and why. `refresh`: get new credentials first, where the session has a `refresh`. */
export type Decision =
  | { readonly action: "reconnect"; readonly afterMs: number; readonly refresh?: boolean; readonly why: string }
  | { readonly action: "stop" | "end"; readonly why: string };

const base: ReconnectPolicy = {
  initialMs: 1_500,
  maxMs: 45_000,
  factor: 2,
  jitter: "full",
  maxAttempts: null,
  whenExhausted: "stop",
  maxServerMs: 3_600_000,
};

/** The defaults. A policy given as an object changes only the fields it names. */
export const defaultPolicies: DefaultPolicies = Object.fromEntries(
  Object.entries(vocabulary satisfies Presets).map(([reason, { policy }]) => [
    reason,
    policy === "end" ? policy : { ...base, ...policy },
  ]),
) as DefaultPolicies;

type DefaultPolicies = { readonly [R in BuiltInReason]: "end" | ReconnectPolicy };
type Presets = { readonly [R in BuiltInReason]: { readonly policy: "end" | Partial<ReconnectPolicy> } };

/** Policies filled in: one for each reason. */
export type ResolvedPolicies = { readonly [reason: string]: "stop" | "end" | ReconnectPolicy | PolicyFunction };

/** Fills in what was left out. `reasons`: those that are to have a policy. */
export function resolvePolicies(policies: Partial<Policies>, reasons: readonly string[]): ResolvedPolicies {
  const given = policies as { readonly [reason: string]: Policy };
  const defaults: ResolvedPolicies = defaultPolicies;
  return Object.fromEntries(reasons.map((reason) => [reason, resolve(given[reason], defaults[reason])]));
}

function resolve(policy: Policy | undefined, byDefault: ResolvedPolicies[string] = "stop"): ResolvedPolicies[string] {
  if (policy === "stop" || policy === "end" || typeof policy === "function") return policy as "stop" | PolicyFunction;
  const fields = Object.entries(policy ?? {}).filter(([, value]) => value !== undefined);
  const given = Object.fromEntries(fields) as Partial<ReconnectPolicy>;
  if (typeof byDefault === "object") return { ...byDefault, ...given };
  // An empty object must not turn "never come back" into "for ever".
  return given.maxAttempts === undefined ? byDefault : { ...base, ...given };
}

/**
 * Whether, and when, to reconnect.
 *
 * @param failed gets what an async function of the app rejects with, which cannot decide
 */
export function decide(
  policies: ResolvedPolicies,
  disconnect: Disconnect,
  attempt: Attempt,
  failed?: (error: unknown) => void,
): Decision {
  const { reason } = disconnect;
  const message = disconnect.message.replace(/\s+/g, " "); // a sentence for logs has no lines
  const policy = policies[reason];
  if (typeof policy === "function") {
    const decision = atOnce(policy(disconnect, attempt), failed);
    checkDecision(reason, decision);
    return decision;
  }
  if (policy === undefined || policy === "stop") return { action: "stop", why: `${reason}: policy is to stop` };
  if (policy === "end")
    return { action: "end", why: message ? `${reason}: ${message}` : `${reason}: policy is to end` };
  const refresh = reason === "unauthenticated";
  if (refresh && !attempt.canRefresh) return { action: "end", why: `${reason}: no refresh is set` };

  const { maxAttempts: given, whenExhausted, maxServerMs } = policy;
  const maxAttempts = typeof given === "object" && given ? given[standingOf(disconnect, attempt)] : given;
  if (maxAttempts !== null && attempt.number > maxAttempts) {
    const attempts = maxAttempts === 1 ? "attempt" : "attempts";
    return { action: whenExhausted, why: `${reason}: gave up after ${maxAttempts} unhealthy ${attempts} in a row` };
  }
  const delayMs = backoffMs(policy, attempt.ofOutage, attempt.random, attempt.previousMs);
  const at = "retryAt" in disconnect && disconnect.retryAt instanceof Date ? disconnect.retryAt.getTime() : Number.NaN;
  const windowMs = Math.min(attempt.windowMs ?? 0, maxServerMs);
  const spreadMs = windowMs * attempt.random;
  // A window only ever makes a wait longer.
  if (Number.isNaN(at) && spreadMs > Math.max(0, delayMs) && attempt.previousMs === 0 && isLoss(reason)) {
    const why = `${reason}: in ${seconds(spreadMs)}, spread over the server's window of ${seconds(windowMs)}`;
    return { action: "reconnect", afterMs: spreadMs, why };
  }
  if (Number.isNaN(at)) {
    const why = `${reason}: backoff ${seconds(delayMs)}, ${attempt.number} in a row`;
    return { action: "reconnect", afterMs: delayMs, refresh, why };
  }
  // The server's time is a floor. Jitter comes on top, or all who were told the same second would come in it.
  const askedMs = Math.max(0, at - attempt.now);
  const floorMs = Math.min(maxServerMs, askedMs);
  const capped = floorMs < askedMs ? `, at most ${seconds(floorMs)}` : "";
  if ("reserved" in disconnect && disconnect.reserved && capped === "") {
    // As it is; but several in a row that are over at once would be a loop.
    const leastMs = attempt.ofOutage === 1 ? 0 : Math.min(delayMs, shortestTicketMs);
    const afterMs = Math.max(askedMs, leastMs);
    return { action: "reconnect", afterMs, refresh, why: `${reason}: reserved in ${seconds(askedMs)}` };
  }
  const afterMs = policy.jitter === "none" ? Math.max(floorMs, delayMs) : floorMs + delayMs;
  const why = `${reason}: server said ${seconds(askedMs)}${capped}, +${seconds(afterMs - floorMs)} jitter`;
  return { action: "reconnect", afterMs, refresh, why };
}

function standingOf({ source }: Disconnect, { wasHealthy }: Attempt): keyof MaxAttempts {
  if (!wasHealthy) return "neverHealthy";
  return source === "unknown" ? "inDoubt" : "onceHealthy";
}

/** After a pause. Who was offline was not alone: a whole network comes back in the same moment. */
export function afterPause(
  { network }: ResolvedPolicies,
  pause: Pause,
  random: number,
): { readonly afterMs: number; readonly why: string } {
  if (pause === "hidden" || pause === "frozen") return { afterMs: 0, why: `no longer ${pause}` };
  const { initialMs } = typeof network === "object" ? network : base;
  const afterMs = initialMs * random;
  return { afterMs, why: `no longer ${pause}: in ${seconds(afterMs)}` };
}

/** Shorter times that were reserved, in a row, are not taken for a server's plan. */
export const shortestTicketMs = 1_000;

/** Nothing was said: everybody may have been lost at once. */
function isLoss(reason: Reason): boolean {
  return reason === "network" || reason === "aborted";
}

/** A time for people: `250 ms`, `30 s`, `2.1 s`. */
export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
