import type { Clock } from "./clock.js";

/** Calls `then` in `ms`, unless `signal` aborts before. */
export function after(clock: Clock, ms: number, signal: AbortSignal, then: () => void): void {
  clock.sleep(ms, signal).then(then, () => {}); // rejects only when not wanted any more
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
