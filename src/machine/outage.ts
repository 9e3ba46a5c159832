import type { Disconnect } from "../disconnect/disconnect.js";
import { become, type Step, stay } from "./effect.js";
import type { SessionEvent } from "./events.js";
import type { Moment, Outage, Phase, Rules, SessionState, State, Waiting } from "./state.js";

/** The outage that a phase is in, if it has not recovered. */
export function outageOf(phase: Phase, now: number): Outage | undefined {
  return "outage" in phase && !isHealthy(phase, now) ? phase.outage : undefined;
}

/** A timer may be late: the session has recovered as soon as it is time. */
export function isHealthy(phase: Phase, now: number): boolean {
  return phase.status === "recovering" && phase.healthyAt <= now;
}

/** The path is down: the outage of before, or a new one. The server's time holds no longer than was decided, `mostMs`. */
export function fallen(before: Outage | undefined, disconnect: Disconnect, { now, wall }: Moment, mostMs = 0): Outage {
  const attempts = before?.attempts ?? 0;
  const floorMs = Math.min(dateOf(disconnect) - wall, mostMs);
  return {
    endings: 0,
    row: undefined,
    previousMs: 0,
    gaveUp: false,
    told: [],
    attempts,
    ...before,
    downAt: before?.down ? before.downAt : now,
    floorAt: disconnect === before?.disconnect ? before.floorAt : now + floorMs,
    attemptsBefore: before?.down ? before.attemptsBefore : attempts,
    down: true,
    disconnect,
  };
}

/** An attempt was not turned away (`passed`), or a policy stopped the streams: nobody waits any more. */
export function recovering(outage: Outage, openedAt: number, rules: Rules, passed = true): Phase {
  return { status: "recovering", outage, healthyAt: openedAt + healthyAfter(rules, !outage.down), passed };
}

/** A stream that never sent headers but was not refused either may be a quiet one, or hang: that takes longer to tell. */
export function healthyAfter({ healthyAfterMs }: Rules, opened: boolean): number {
  return healthyAfterMs * (opened ? 1 : 6);
}

/** The outage goes on as it was, with a little more known of it. */
export function remember(
  state: State,
  known: Partial<Pick<Outage, "told" | "gaveUp">>,
  events: readonly SessionEvent[],
): Step {
  const { phase } = state;
  const unchanged = { ...stay(state), events };
  if (!("outage" in phase)) return unchanged;
  const outage = { ...phase.outage, ...known };
  if (outage.told === phase.outage.told && outage.gaveUp === phase.outage.gaveUp) return unchanged;
  return become(state, { ...phase, outage }, events);
}

/**
 * For so many ms from now the server does not want to see us; not above 0 where it does. Either clock may say that it is time:
 * the one may have been set back, and the other may have stood still while the device slept.
 */
export function floorMs({ disconnect, floorAt }: Outage, { now, wall }: Moment): number {
  return Math.min(floorAt - now, dateOf(disconnect) - wall);
}

export function dateOf(disconnect: Disconnect): number {
  return "retryAt" in disconnect && disconnect.retryAt instanceof Date ? disconnect.retryAt.getTime() : 0;
}

/** Where the machine stands, with its times by a clock that is `byMs` ahead. */
export function movedBy(byMs: number, phase: Waiting): Waiting;
export function movedBy(byMs: number, phase: SessionState): SessionState;
export function movedBy(byMs: number, phase: SessionState): SessionState {
  if (!("outage" in phase)) return phase;
  const { downAt, floorAt } = phase.outage;
  const moved = { ...phase, outage: { ...phase.outage, downAt: downAt + byMs, floorAt: floorAt + byMs } };
  if (moved.status === "recovering") return { ...moved, healthyAt: moved.healthyAt + byMs };
  if (!("refund" in moved)) return moved;
  const refund = { ...moved.refund, at: moved.refund.at + byMs };
  return moved.status === "waiting"
    ? { ...moved, refund, until: moved.until + byMs }
    : { ...moved, refund, askedAt: moved.askedAt + byMs };
}
