import type { Clock } from "./clock.js";

/** Calls `then` in `ms`, unless `signal` aborts before. */
export function after(clock: Clock, ms: number, signal: AbortSignal, then: () => void): void {
  clock.sleep(ms, signal).then(then, () => {}); // rejects only when not wanted any more
}

/** What comes of it, or `undefined` where that takes longer than `ms`. Rejects with what it rejects with in time. */
export async function within<T>(ms: number, what: Promise<T>, clock: Clock): Promise<T | undefined> {
  const timer = new AbortController();
  const enough = clock.sleep(ms, timer.signal).catch(() => {}); // rejects only when not wanted any more
  try {
    return (await Promise.race([what, enough])) ?? undefined;
  } finally {
    timer.abort();
  }
}

/** A wait that can be begun anew, and given up. */
export interface Timer {
  /** Calls `then` in `ms`, unless it is begun anew or stopped before. */
  start(ms: number, then: () => void): void;
  stop(): void;
}

export function createTimer(clock: Clock): Timer {
  let wait = new AbortController();
  return {
    start(ms, then) {
      wait.abort();
      wait = new AbortController();
      after(clock, ms, wait.signal, then);
    },
    stop: () => wait.abort(),
  };
}
