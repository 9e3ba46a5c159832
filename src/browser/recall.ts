import type { Disconnect } from "../disconnect/disconnect.js";
import {
  type Adoption,
  event,
  floorMs,
  type Moment,
  type Phase,
  type Rules,
  recovering,
  type SessionEvent,
  type State,
} from "../session/extension.js";
import { type Known, type Plan, planMovedBy, type SharedVerdict } from "./known.js";

/** For how long what was decided is held against a new page, in ms. */
export interface Holds {
  readonly coolDownMs: number;
  readonly rememberMs: number;
}

/** A wait that has been over for longer is of an outage that nobody was left to see the end of. */
const staleMs = 120_000;

/** Each page rounds its clocks in its own way: two times that are so near are the same. */
const sameMs = 10;

/** Nobody knows for how long a policy that is a function waits at most. */
const longestMs = 86_400_000;

/** That another tab got through so long ago says nothing about now. */
const freshMs = 10_000;

/** What the tabs know, applied to the state of one session. `first`: its first stream comes. */
export function recall(
  state: State,
  { verdict, plan: written }: Known,
  rules: Rules,
  moment: Moment,
  first: boolean,
  holds: Holds,
): Adoption | undefined {
  const { phase } = state;
  const { now, wall } = moment;
  if (phase.status === "ended" || phase.status === "closed") return undefined;
  if (verdict?.disconnect && verdict.at <= wall && wall < heldUntil(verdict.disconnect, verdict, holds)) {
    const { disconnect } = verdict;
    if (!Object.hasOwn(rules.policies, disconnect.reason)) return undefined; // of another version, or of somebody else
    const why = `${verdict.why} (remembered)`;
    const events = [told(disconnect), event("ended", { disconnect, why })];
    return { phase: { status: "ended", disconnect, why }, bucket: state.bucket, events };
  }
  if (!written || phase.status === "paused") return undefined;
  // Where the wall clock was set back since, it counts as written now.
  const plan = bounded(planMovedBy(now - Math.max(wall, written.at), written), rules, now);
  if (!plan) return undefined;
  if (phase.status === "waiting") return withOtherTabs(state, phase, plan, rules, moment);
  const { wait, bucket } = plan;
  if (!first || phase.status !== "healthy" || !wait || wait.until + staleMs < now) {
    return { phase, bucket, events: [] };
  }
  // A reload is no way around an outage. Where an attempt was on its way, this is the next one, and takes its token.
  const rest = wait.until > now ? wait : { until: now + staleMs, refund: bucket };
  const { disconnect } = wait.outage;
  const outage = { ...wait.outage, told: [disconnect.reason], down: true, gaveUp: false };
  return { phase: { ...rest, status: "waiting", outage, refresh: false }, bucket, events: [told(disconnect)] };
}

/** A wait is no longer than one that this session could have come to, or `undefined` where it knows no such reason. */
function bounded(plan: Plan, { policies, rateLimit }: Rules, now: number): Plan | undefined {
  const { wait } = plan;
  if (!wait) return plan;
  const { outage } = wait;
  const { reason } = outage.disconnect;
  if (!Object.hasOwn(policies, reason)) return undefined;
  const policy = policies[reason];
  const mostMs = typeof policy === "object" ? policy.maxServerMs + policy.maxMs : longestMs;
  const floorAt = Math.min(outage.floorAt, now + mostMs);
  const until = Math.min(wait.until, now + mostMs + (rateLimit?.perMs ?? 0));
  return { ...plan, wait: { ...wait, outage: { ...outage, floorAt }, until } };
}

/** A session that waits: another tab got through, or has been told to wait for longer, or for less long. */
function withOtherTabs(
  { bucket: own }: State,
  { outage, until: ownUntil, refresh }: Extract<Phase, { status: "waiting" }>,
  { wait, openAt, bucket }: Plan,
  rules: Rules,
  moment: Moment,
): Adoption | undefined {
  const { now } = moment;
  const floor = now + floorMs(outage, moment); // what the server told this session holds for this session
  if (openAt !== undefined && openAt > outage.downAt && openAt + freshMs > now && floor <= now) {
    return { phase: recovering(outage, now, rules), bucket: own, events: [] };
  }
  if (!wait || wait.until <= now) return undefined;
  const { attempts, endings, row, previousMs } = wait.outage;
  const until = Math.max(wait.until, floor);
  const further = attempts > outage.attempts || (attempts === outage.attempts && until <= ownUntil - sameMs);
  if (!further || until === ownUntil) return undefined;
  const { disconnect } = outage;
  const why = `${disconnect.reason}: together with another tab`;
  const phase: Phase = {
    status: "waiting",
    outage: { ...outage, attempts, endings, row, previousMs },
    until,
    refresh,
    refund: wait.refund,
  };
  return {
    phase,
    bucket,
    events: [event("reconnecting", { disconnect, attempt: attempts + 1, afterMs: until - now, why })],
  };
}

function told(disconnect: Disconnect): SessionEvent {
  return { type: disconnect.reason, payload: disconnect } as SessionEvent;
}

/** Whether a verdict holds for new pages and other tabs. The winner of a superseded one may be another tab. */
export function isLasting({ said, reason }: Disconnect): boolean {
  return said && (reason === "kicked" || reason === "banned");
}

function heldUntil(disconnect: Disconnect, { at }: SharedVerdict, { coolDownMs, rememberMs }: Holds): number {
  if (disconnect.reason !== "banned") return at + coolDownMs;
  const longest = at + rememberMs;
  return Math.min(Number(disconnect.until ?? longest), longest);
}
