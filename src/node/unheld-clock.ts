import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, nextTurn, systemClock } from "../ports/clock.js";

const longestTimerMs = 2 ** 31 - 1; // Node takes a longer one for 1 ms

/**
 * The system's clock. Its timers keep no process alive: a connection in use does that itself. Where the event loop stood still, what
 * has come meanwhile is read first, and is an answer in time.
 */
export const unheldClock: Clock = {
  ...systemClock,
  async sleep(ms, signal) {
    await sleep(Math.min(ms, longestTimerMs), undefined, { ref: false, ...(signal && { signal }) });
    await nextTurn();
    signal?.throwIfAborted();
  },
};
