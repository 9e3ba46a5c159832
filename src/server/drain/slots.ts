import { type Ledger, reserve } from "../admission/ledger.js";
import type { Words } from "../words/words.js";

/** When each of `count` is to go, spread evenly over `overMs` from `start` on, the first one at once. */
export function spread(count: number, start: number, overMs: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => start + (index * overMs) / count);
}

/** That the server goes away: what clients are told, and when the service is back (epoch ms), if that is known. */
export interface Absence {
  readonly words: Extract<Words, { readonly reason: "maintenance" }>;
  readonly backAt: number | undefined;
}

/** The words, with the time at which the service is back. */
export function announcementOf({ words, backAt }: Absence): Words {
  return backAt === undefined ? words : { ...words, retryAt: new Date(backAt) };
}

/**
 * What each client is told, with a slot of its own where it is known how many may come back in a second. There are slots for
 * twice as many as were inside: newcomers that knock without end must not use up the time of all others.
 *
 * @param perSecond how many come back in a second; 0: not known
 */
export function createSlots(absence: Absence, perSecond: number, clients: number): (now: number) => Words {
  const { words, backAt } = absence;
  const anyTime = announcementOf(absence);
  if (!(perSecond > 0)) return () => anyTime;
  const horizonMs = Math.max(60_000, (2 * clients * 1_000) / perSecond);
  let ledger: Ledger = { freeAt: backAt ?? 0 };
  return (now) => {
    const earliest = Math.max(backAt ?? 0, now);
    const slot = reserve(ledger, earliest, perSecond);
    if (slot.at > earliest + horizonMs) return anyTime;
    ledger = slot.ledger;
    return { ...words, retryAt: new Date(Math.ceil(slot.at)), reserved: true };
  };
}
