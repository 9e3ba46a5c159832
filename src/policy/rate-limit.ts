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
 * default, and a bucket that is none counts as empty. `ahead`: where there is no token, one of the next `burst` will do.
 */
export function take(
  limit: RateLimit,
  bucket: Bucket,
  wantedAt: number,
  ahead = false,
): { readonly bucket: Bucket; readonly at: number } {
  const { burst } = usable(limit);
  const perToken = perTokenMs(limit);
  const debt = ahead ? burst : 0;
  const held = Number.isFinite(bucket.tokens + bucket.at) ? bucket : { tokens: 0, at: wantedAt };
  const refilled = Math.max(-burst, held.tokens) + Math.max(0, wantedAt - held.at) / perToken;
  const tokens = Math.min(burst, refilled) + debt;
  const at = tokens >= 1 ? wantedAt : wantedAt + (1 - tokens) * perToken;
  return { bucket: { tokens: Math.max(tokens, 1) - 1 - debt, at }, at };
}

/** What goes out besides attempts: for how many ms it has to wait for its token. 0: it has taken it, and may go now. */
export function createBudget(limit: RateLimit | undefined): (now: number) => number {
  let bucket: Bucket | undefined;
  return (now) => {
    if (!limit) return 0;
    const taken = take(limit, bucket ?? fullBucket(limit, now), now);
    if (taken.at <= now) bucket = taken.bucket;
    return taken.at - now;
  };
}

/** One attempt in each such span is within the limit, in the long run. */
export function perTokenMs(limit: RateLimit): number {
  const { burst, perMs } = usable(limit);
  return perMs / burst;
}

export function fullBucket(limit: RateLimit, now: number): Bucket {
  return { tokens: usable(limit).burst, at: now };
}

function usable(limit: RateLimit): RateLimit {
  const { burst, perMs } = limit;
  return burst >= 1 && perMs >= 1 && Number.isFinite(burst + perMs) ? limit : defaultRateLimit;
}
