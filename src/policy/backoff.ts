import type { jitters } from "../check/policies.js";

/**
 * How a delay is spread. The cap always comes first, so that a fleet at its cap stays spread.
 * `full`: 0 to the delay. `equal`: half the delay to all of it. `decorrelated`: `initialMs` to three times the delay
 * before. `none`: the delay itself.
 */
export type Jitter = (typeof jitters)[number];

/** Waits that grow from one attempt to the next. */
export interface Backoff {
  /** Milliseconds, at least 1. */
  readonly initialMs: number;
  /** Cap in milliseconds. */
  readonly maxMs: number;
  /** Growth from one attempt to the next, at least 1. */
  readonly factor: number;
  /** How chance spreads it. */
  readonly jitter: Jitter;
}

/**
 * The delay in ms before attempt `number` (counted from 1). `random` is in [0, 1); `previousMs` is the delay before,
 * which only `decorrelated` jitter looks at.
 */
export function backoffMs(backoff: Backoff, number: number, random: number, previousMs: number): number {
  const { initialMs, maxMs, factor, jitter } = backoff;
  const cappedMs = Math.min(maxMs, initialMs * factor ** (number - 1));
  switch (jitter) {
    case "full":
      return cappedMs * random;
    case "equal":
      return (cappedMs * (1 + random)) / 2;
    case "decorrelated": {
      const fromMs = Math.min(maxMs, initialMs);
      return fromMs + (Math.max(fromMs, Math.min(maxMs, previousMs * 3)) - fromMs) * random;
    }
    case "none":
      return cappedMs;
    default:
      return jitter satisfies never;
  }
}
