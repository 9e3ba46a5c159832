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
  /** Who came from there was nobody: no time is promised there for a while, and one place is left to others. */
  blame(address: string | undefined, now: number): void;
}

interface Share {
  /** What it has had, and when that was true. */
  has: number;
  at: number;
  /** The times that it was promised and has not come by, in order. */
  readonly promised: number[];
  blamedUntil: number;
}

/** Of so many addresses shares are kept at most; who took least lately is forgotten first, and that only forgives. */
const mostAddresses = 100_000;

/** How long an address is remembered from which nobody came whom the app knows. */
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
    const share = shares.get(address) ?? { has: 0, at: now, promised: [], blamedUntil: 0 };
    const has = share.has * Math.exp(-Math.max(0, now - share.at) / fadeMs);
    share.has = has < 0.05 ? 0 : has;
    share.at = now;
    while ((share.promised[0] ?? now) < now - graceMs) share.promised.shift();
    return share;
  }

  return {
    mayTake(address, left, now) {
      if (address === undefined) return true;
      const { has, promised, blamedUntil } = of(address, now);
      if (isDue(promised, now) && left >= Math.min(2, most)) return true;
      return mayHaveMore(now < blamedUntil ? has + 1 : has, left);
    },
    take(address, now) {
      if (address === undefined) return;
      const share = of(address, now);
      if (isDue(share.promised, now)) share.promised.shift();
      share.has++;
      shares.set(address, share);
    },
    mayBook(address, free, now) {
      if (address === undefined) return true;
      const { promised, blamedUntil } = of(address, now);
      return now >= blamedUntil && mayHaveMore(promised.length, free);
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
      share.blamedUntil = now + blameMs;
      shares.set(address, share);
    },
  };
}

function isDue([first = Number.POSITIVE_INFINITY]: readonly number[], now: number): boolean {
  return first <= now + 1;
}
