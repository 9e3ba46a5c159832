import type { Clock } from "../../ports/clock.js";
import { dateOf, type Ledger, reserve } from "../admission/ledger.js";
import type { Words } from "../words/words.js";

/** When each of `count` is to go, spread evenly over `overMs` from `start` on, the first one at once. */
export function spread(count: number, start: number, overMs: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => start + (index * overMs) / count);
}

/** That the server goes away: what clients are told, and when the service is back, by the monotonic clock, if that is known. */
export interface Absence {
  readonly words: Extract<Words, { readonly reason: "maintenance" }>;
  readonly backAt: number | undefined;
}

/** The words, with the time at which the service is back. */
export function announcementOf({ words, backAt }: Absence, clock: Clock): Words {
  return backAt === undefined ? words : { ...words, retryAt: dateOf(backAt, clock) };
}

/**
 * What each client is told, with a slot of its own where it is known how many may come back in a second. There are slots for
 * twice as many as were inside: newcomers that knock without end must not use up the time of all others.
 *
 * @param perSecond how many come back in a second; 0: not known
 */
export function createSlots(absence: Absence, perSecond: number, clients: number, clock: Clock): () => Words {
  const { words, backAt } = absence;
  const anyTime = () => announcementOf(absence, clock);
  if (!(perSecond > 0)) return anyTime;
  const horizonMs = Math.max(60_000, (2 * clients * 1_000) / perSecond);
  let ledger: Ledger = { freeAt: backAt ?? 0 };
  return () => {
    const earliest = Math.max(backAt ?? 0, clock.monotonic());
    const slot = reserve(ledger, earliest, perSecond);
    if (slot.at > earliest + horizonMs) return anyTime();
    ledger = slot.ledger;
    return { ...words, retryAt: dateOf(slot.at, clock), reserved: true };
  };
}
