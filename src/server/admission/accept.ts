import { fullBucket, type RateLimit, take } from "../../policy/rate-limit.js";
import type { Clock } from "../../ports/clock.js";
import type { Words } from "../words/words.js";
import type { Kind } from "./kind.js";
import { dateOf, type Ledger, reserve } from "./ledger.js";

/** When somebody who was refused may come, by the monotonic clock: at a time that nobody else has, or, beyond the horizon, at any. */
export interface Ticket {
  readonly at: number;
  readonly reserved: boolean;
}

/**
 * Lets in no more than so many in a second, and answers with a ticket for each that is one too many. Tickets reach
 * no further ahead than `horizonMs`, so that those who knock without end do not use up the time of those who listen.
 */
export function createAcceptor(
  perSecond: number,
  horizonMs: number,
  start: number,
): (now: number, random: number) => Ticket | undefined {
  const burst = Math.max(1, perSecond);
  const capacity: RateLimit = { burst, perMs: (burst / perSecond) * 1_000 };
  let bucket = fullBucket(capacity, start);
  let ledger: Ledger = { freeAt: 0 };
  return (now, random) => {
    const taken = take(capacity, bucket, now);
    if (taken.at <= now) {
      bucket = taken.bucket;
      return undefined;
    }
    const ticket = reserve(ledger, taken.at, perSecond);
    if (ticket.at > now + horizonMs) return { at: Math.ceil(now + horizonMs * random), reserved: false };
    ledger = ticket.ledger;
    return { at: Math.ceil(ticket.at), reserved: true };
  };
}

/** What the bouncer's options say about how many are let in. */
export interface AcceptSettings {
  readonly acceptPerSecond: number | undefined;
  readonly windowMs: number | undefined;
}

/** How far ahead tickets are given out, at least. */
const leastHorizonMs = 60_000;

/** What who is one too many is refused with, if the server takes only so many in a second. */
export function createTickets(
  { acceptPerSecond, windowMs = 0 }: AcceptSettings,
  clock: Clock,
): (kind: Kind) => Words | undefined {
  if (acceptPerSecond === undefined) return () => undefined;
  const acceptor = () => createAcceptor(acceptPerSecond, Math.max(windowMs, leastHorizonMs), clock.monotonic());
  const accept = { stream: acceptor(), "control-stream": acceptor() } satisfies { readonly [K in Kind]: unknown };
  return (kind) => {
    const now = clock.monotonic();
    const ticket = accept[kind](now, clock.random());
    if (!ticket) return undefined;
    const { at, reserved } = ticket;
    return { reason: "throttled", retryAt: dateOf(at, clock), reserved, message: "too many at once" };
  };
}
