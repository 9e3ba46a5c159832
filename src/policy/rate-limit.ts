import { numberIn, objectOf } from "../check/invalid.js";

/** At most `burst` attempts at once, and `burst` more in every `perMs` after that. */
export interface RateLimit {
  readonly burst: number;
  readonly perMs: number;
}

/** A token bucket as a value: it held `tokens` at `at` (epoch ms). */
export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** @throws TypeError that names the field. */
export function checkRateLimit(option: string, value: unknown): RateLimit {
  const { burst, perMs } = objectOf(option, value, ["burst", "perMs"]);
  return { burst: numberIn(`${option}.burst`, burst, 1), perMs: numberIn(`${option}.perMs`, perMs, 1) };
}

/**
 * Takes one token for an attempt that wants to start at `wantedAt`, and tells when it may: then or later, never
 * earlier. A clock that was set back refills nothing and takes nothing away.
 */
export function take(
  limit: RateLimit,
  bucket: Bucket,
  wantedAt: number,
): { readonly bucket: Bucket; readonly at: number } {
  const perToken = limit.perMs / limit.burst;
  const tokens = Math.min(limit.burst, bucket.tokens + Math.max(0, wantedAt - bucket.at) / perToken);
  const at = tokens >= 1 ? wantedAt : wantedAt + (1 - tokens) * perToken;
  return { bucket: { tokens: Math.max(tokens, 1) - 1, at }, at };
}

export function fullBucket(limit: RateLimit, now: number): Bucket {
  return { tokens: limit.burst, at: now };
}
