import { isIPv6 } from "node:net";
import { fullBucket, type RateLimit, take } from "../../policy/rate-limit.js";
import { type Ledger, reserve } from "./ledger.js";

/** When somebody who was refused may come: at a time that nobody else has, or, beyond the horizon, at any. */
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

/** What an address is counted by: one customer has a whole /64 of IPv6 (RFC 6177). */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1] as string;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => "0"), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
