import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, systemClock } from "../ports/clock.js";

const longestTimerMs = 2 ** 31 - 1; // Node takes a longer one for 1 ms

/** The system's clock. Its timers keep no process alive: a connection in use does that itself. */
export const unheldClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => sleep(Math.min(ms, longestTimerMs), undefined, { ref: false, ...(signal && { signal }) }),
};
