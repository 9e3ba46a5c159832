import { fullBucket, type RateLimit, take } from "../../policy/rate-limit.js";
import type { Clock } from "../../ports/clock.js";
import type { Words } from "../words/words.js";
import type { Kind } from "./kind.js";
import { dateOf, type Ledger, reserve } from "./ledger.js";
import { createShares } from "./shares.js";

/** When somebody who was refused may come, by the monotonic clock: at a time that nobody else has, or, beyond the horizon, at any. */
export interface Ticket {
  readonly at: number;
  readonly reserved: boolean;
}

/** Lets in no more than so many in a second. */
export interface Acceptor {
  /** Holds a place for who comes, or answers with a ticket. `address`: `undefined` if it is not known. */
  take(now: number, random: number, address?: string): Ticket | undefined;
  /** Who had a place was not let in. `unknown`: nobody knows who it was, for its credentials were no good. */
  giveBack(now: number, address: string | undefined, unknown: boolean): void;
}

/**
 * Lets in no more than `perSecond`, fairly among addresses: see `shares`. Tickets reach no further ahead than `horizonMs`, so that
 * those who knock without end do not use up the time of those who listen.
 */
export function createAcceptor(perSecond: number, horizonMs: number, start: number): Acceptor {
  const burst = Math.max(1, perSecond);
  const capacity: RateLimit = { burst, perMs: (burst / perSecond) * 1_000 };
  const spacingMs = 1_000 / perSecond;
  const shares = createShares(burst, capacity.perMs);
  let bucket = fullBucket(capacity, start);
  let ledger: Ledger = { freeAt: 0 };

  /** How many may be let in now, in all. */
  function left(now: number): number {
    return Math.min(burst, bucket.tokens + Math.max(0, now - bucket.at) / spacingMs);
  }

  function ticketFor(address: string | undefined, earliest: number, now: number, random: number): Ticket {
    const ticket = reserve(ledger, earliest, perSecond);
    const free = (now + horizonMs - ticket.at) / spacingMs;
    if (free < 0 || !shares.mayBook(address, free, now))
      return { at: Math.ceil(now + horizonMs * random), reserved: false };
    ledger = ticket.ledger;
    shares.book(address, ticket.at, now);
    return { at: Math.ceil(ticket.at), reserved: true };
  }

  return {
    take(now, random, address) {
      const taken = take(capacity, bucket, now);
      if (taken.at > now) return ticketFor(address, taken.at, now, random);
      if (!shares.mayTake(address, left(now), now)) return ticketFor(address, now + spacingMs, now, random);
      bucket = taken.bucket;
      shares.take(address, now);
      return undefined;
    },
    giveBack(now, address, unknown) {
      bucket = { tokens: Math.min(burst, left(now) + 1), at: now };
      if (unknown) shares.blame(address, now);
    },
  };
}

/** What the bouncer's options say about how many are let in. */
export interface AcceptSettings {
  readonly acceptPerSecond: number | undefined;
  readonly windowMs: number | undefined;
}

/** How far ahead tickets are given out, at least. */
const leastHorizonMs = 60_000;

/** A newcomer's place among so many in a second, or what it is refused with. */
export type Place =
  | { readonly refusal: Words }
  | { readonly refusal: undefined; readonly giveBack: (unknown: boolean) => void };

/** Who is let in, if the server takes only so many in a second. */
export function createPlaces(
  { acceptPerSecond, windowMs = 0 }: AcceptSettings,
  clock: Clock,
): (kind: Kind, address: string | undefined) => Place {
  if (acceptPerSecond === undefined) return () => ({ refusal: undefined, giveBack: () => {} });
  const acceptor = () => createAcceptor(acceptPerSecond, Math.max(windowMs, leastHorizonMs), clock.monotonic());
  const accept = { stream: acceptor(), "control-stream": acceptor() } satisfies { readonly [K in Kind]: unknown };
  return (kind, address) => {
    const ticket = accept[kind].take(clock.monotonic(), clock.random(), address);
    if (!ticket) {
      const giveBack = (unknown: boolean) => accept[kind].giveBack(clock.monotonic(), address, unknown);
      return { refusal: undefined, giveBack };
    }
    const { at, reserved } = ticket;
    return { refusal: { reason: "throttled", retryAt: dateOf(at, clock), reserved, message: "too many at once" } };
  };
}
