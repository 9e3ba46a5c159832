/** At most `burst` attempts at once, and `burst` more in every `perMs` after that. */
export interface RateLimit {
  /** Attempts, at least 1. */
  readonly burst: number;
  /** Milliseconds, at least 1. */
  readonly perMs: number;
}

export const defaultRateLimit: RateLimit = { burst: 5, perMs: 60_000 };

/** A token bucket as a value: it held `tokens` at `at` (ms). */
export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/**
 * Takes one token for an attempt that wants to start at `wantedAt`, and tells when it may: then or later, never
 * earlier. A clock that was set back refills nothing and takes nothing away. A limit that is none gives way to the
 * default, and a bucket that is none counts as empty.
 */
export function take(
  limit: RateLimit,
  bucket: Bucket,
  wantedAt: number,
): { readonly bucket: Bucket; readonly at: number } {
  const { burst, perMs } = usable(limit);
  const perToken = perMs / burst;
  const held = Number.isFinite(bucket.tokens + bucket.at) ? bucket : { tokens: 0, at: wantedAt };
  const tokens = Math.min(burst, held.tokens + Math.max(0, wantedAt - held.at) / perToken);
  const at = tokens >= 1 ? wantedAt : wantedAt + (1 - tokens) * perToken;
  return { bucket: { tokens: Math.max(tokens, 1) - 1, at }, at };
}

export function fullBucket(limit: RateLimit, now: number): Bucket {
  return { tokens: usable(limit).burst, at: now };
}

function usable(limit: RateLimit): RateLimit {
  const { burst, perMs } = limit;
  return burst >= 1 && perMs >= 1 && Number.isFinite(burst + perMs) ? limit : defaultRateLimit;
}
