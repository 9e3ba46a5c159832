import type { Clock } from "../../ports/clock.js";

/** Who may come when: tickets at even spacing, none given twice. A value: each function answers with the next one. */
export interface Ledger {
  /** The next ticket that is free, by the monotonic clock. */
  readonly freeAt: number;
}

/**
 * Gives out the next ticket: not before `earliest`, and `1000 / perSecond` ms after the one before.
 *
 * @param perSecond how many the server, or what comes after it, takes in a second
 */
export function reserve(
  ledger: Ledger,
  earliest: number,
  perSecond: number,
): { readonly ledger: Ledger; readonly at: number } {
  const at = Math.max(ledger.freeAt, earliest);
  return { ledger: { freeAt: at + 1000 / perSecond }, at };
}

/** A time by the monotonic clock as a date: what is planned stays where it is, however often the wall clock is set. */
export function dateOf(at: number, clock: Clock): Date {
  return new Date(Math.ceil(clock.now() + at - clock.monotonic()));
}
