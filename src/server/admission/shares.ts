import { createRecent } from "../store/recent.js";
import { mayHaveMore } from "./share.js";

/**
 * Who has had how much of what a server takes in a second, by address. What somebody has had fades, for as it fades there is
 * more for all. Who is not known by an address has no share, and leaves nothing to others.
 */
export interface Shares {
  /** Whether it may have one more while so many are left; at a time that it was promised, if it leaves one. */
  mayTake(address: string | undefined, left: number, now: number): boolean;
  /** It has got one. */
  take(address: string | undefined, now: number): void;
  /** Whether it may be promised one more time while so many are free. */
  mayBook(address: string | undefined, free: number, now: number): boolean;
  /** It was promised a time. */
  book(address: string | undefined, at: number, now: number): void;
  /** Who came from there was nobody: where most are, no time is promised there for a while, and one place is left to others. */
  blame(address: string | undefined, now: number): void;
}

interface Share {
  /** What it has had, and when that was true. */
  has: number;
  at: number;
  /** The times that it was promised and has not come by, in order. */
  readonly promised: number[];
  /** How many have come from there lately, and of how many of them nobody knows who they were. */
  came: number;
  unknown: number;
}

/** Of so many addresses shares are kept at most, and of half of them for certain; to be forgotten only forgives. */
const mostAddresses = 100_000;

/** How long it is remembered who came from an address. One whose token has run out is to do no harm to a whole company. */
const blameMs = 60_000;

/** A promise is kept for so long: a client is a little late. */
const graceMs = 10_000;

/**
 * @param most how many there are at once
 * @param fadeMs in this time, as much comes anew as there is at most: what somebody has had fades as fast
 */
export function createShares(most: number, fadeMs: number): Shares {
  const shares = createRecent<Share>(mostAddresses);

  function of(address: string, now: number): Share {
    const share = shares.get(address) ?? { has: 0, at: now, promised: [], came: 0, unknown: 0 };
    const passedMs = Math.max(0, now - share.at);
    const has = share.has * Math.exp(-passedMs / fadeMs);
    share.has = has < 0.05 ? 0 : has;
    share.came *= Math.exp(-passedMs / blameMs);
    share.unknown *= Math.exp(-passedMs / blameMs);
    share.at = now;
    while ((share.promised[0] ?? now) < now - graceMs) share.promised.shift();
    return share;
  }

  return {
    mayTake(address, left, now) {
      if (address === undefined) return true;
      const share = of(address, now);
      if (isDue(share.promised, now) && left >= Math.min(2, most)) return true;
      return mayHaveMore(isBlamed(share) ? share.has + 1 : share.has, left);
    },
    take(address, now) {
      if (address === undefined) return;
      const share = of(address, now);
      if (isDue(share.promised, now)) share.promised.shift();
      share.has++;
      share.came++;
      shares.set(address, share);
    },
    mayBook(address, free, now) {
      if (address === undefined) return true;
      const share = of(address, now);
      return !isBlamed(share) && mayHaveMore(share.promised.length, free);
    },
    book(address, at, now) {
      if (address === undefined) return;
      const share = of(address, now);
      share.promised.push(at);
      shares.set(address, share);
    },
    blame(address, now) {
      if (address === undefined) return;
      const share = of(address, now);
      share.unknown++;
      shares.set(address, share);
    },
  };
}

/** Most of those who came lately were nobody: one of them is remembered for `blameMs`. */
function isBlamed({ came, unknown }: Share): boolean {
  return unknown > Math.exp(-1) && 2 * unknown > came;
}

function isDue([first = Number.POSITIVE_INFINITY]: readonly number[], now: number): boolean {
  return first <= now + 1;
}
