import { checkTime } from "#check";

/** When credentials end, and when the next are to be got, if that is still to be done. Epoch ms. */
export interface Expiry {
  readonly endsAt: number;
  readonly renewAt: number | undefined;
}

/** Not more often than this, whatever a wrong clock makes of a time. */
const leastMs = 1_000;

/**
 * The next are got when three quarters to nine tenths of the time is over: with jitter, for many may have signed in together.
 * A time that has passed says nothing: the clock of this device may be wrong.
 *
 * @param expiresAt a Date, or anything else where none is known
 * @throws TypeError that says what it is, where options are checked
 */
export function expiryOf(expiresAt: unknown, now: number, random: number): Expiry | undefined {
  checkTime("expiresAt", expiresAt);
  const leftMs = expiresAt instanceof Date ? expiresAt.getTime() - now : 0;
  if (!(leftMs > 0)) return undefined;
  return { endsAt: now + leftMs, renewAt: now + Math.max(leastMs, leftMs * (0.75 + 0.15 * random)) };
}
