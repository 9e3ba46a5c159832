import type { Clock } from "./clock.js";

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
      clock.sleep(ms, wait.signal).then(then, () => {}); // rejects only when not wanted any more
    },
    stop: () => wait.abort(),
  };
}
