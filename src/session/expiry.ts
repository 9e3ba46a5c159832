import { checkTime } from "#check";
import { perTokenMs, type RateLimit } from "../policy/rate-limit.js";
import type { Clock } from "../ports/clock.js";
import { answerOf, atOnce } from "../ports/guarded.js";
import { createTimer } from "../ports/timer.js";

/** When credentials end, and when the next are to be got, if that is still to be done. Epoch ms. */
interface Expiry {
  readonly endsAt: number;
  readonly renewAt: number | undefined;
}

/** Not more often than this, where there is no rate limit, whatever a wrong clock makes of a time. */
const leastMs = 1_000;

/**
 * The next are got when three quarters to nine tenths of the time is over: with jitter, for many may have signed in together.
 * A time that has passed says nothing: the clock of this device may be wrong.
 *
 * @param paceMs not more often than this
 * @param expiresAt a Date, or anything else where none is known
 * @throws TypeError that says what it is, where options are checked
 */
function expiryOf(expiresAt: unknown, paceMs: number, now: number, random: number): Expiry | undefined {
  checkTime("expiresAt", expiresAt);
  const leftMs = expiresAt instanceof Date ? expiresAt.getTime() - now : 0;
  if (!(leftMs > 0)) return undefined;
  return { endsAt: now + leftMs, renewAt: now + Math.max(paceMs, leftMs * (0.75 + 0.15 * random)) };
}

/** What is known of the end of the credentials of now: the next are due ahead of it. */
export interface Renewal {
  /** When they end, epoch ms, if that is known. */
  readonly endsAt: number | undefined;
  /** They are others now. `answer`: what `refresh` said of them. */
  begin(answer: unknown): void;
  /** The next are due in so many ms, where an end is known. */
  again(afterMs: number): void;
  /** It may be time for the next. */
  look(): void;
  /** There are streams, until the removal is called: only for them is a timer kept. */
  watch(): () => void;
}

export interface RenewalOptions {
  readonly clock: Clock;
  readonly reportError: (error: unknown) => void;
  /** What the app knows, where `refresh` has not said it. */
  readonly expiresAt: (() => Date | undefined) | undefined;
  /** The next are not got more often than it lets attempts go out. */
  readonly rateLimit: RateLimit | undefined;
  /** It is time for the next. */
  readonly due: () => void;
}

export function createRenewal({ clock, reportError, expiresAt, rateLimit, due }: RenewalOptions): Renewal {
  const paceMs = rateLimit ? perTokenMs(rateLimit) : leastMs;
  const timer = createTimer(clock);
  let watched = false;
  let known = read(undefined);

  function read(answer: unknown): Expiry | undefined {
    return answerOf(() => {
      const told = typeof answer === "object" && answer !== null && "expiresAt" in answer && answer.expiresAt;
      const endsAt = told || (expiresAt && atOnce(expiresAt(), reportError));
      return expiryOf(endsAt, paceMs, clock.now(), clock.random());
    }, reportError);
  }

  function set(next: Expiry | undefined): void {
    known = next;
    timer.stop();
    if (watched && next?.renewAt !== undefined) timer.start(Math.max(1, next.renewAt - clock.now()), ring);
  }

  function ring(): void {
    if (known) known = { ...known, renewAt: undefined };
    due();
  }

  function look(): void {
    if (known?.renewAt !== undefined && known.renewAt <= clock.now()) ring();
  }

  return {
    get endsAt() {
      return known?.endsAt;
    },
    begin: (answer) => set(read(answer)),
    again: (afterMs) => set(known && { ...known, renewAt: clock.now() + afterMs }),
    look,
    watch() {
      watched = true;
      look();
      set(known);
      return () => {
        watched = false;
        timer.stop();
      };
    },
  };
}
