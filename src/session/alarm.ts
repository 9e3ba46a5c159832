import type { Clock } from "../ports/clock.js";
import { createTimer } from "../ports/timer.js";

/** One timer, that is set to another time as often as one likes. */
export interface Alarm {
  /** By the clock for durations, or `undefined` for never. */
  set(at: number | undefined): void;
}

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  const timer = createTimer(clock);
  let setTo: number | undefined;
  return {
    set(at) {
      if (at === setTo) return;
      setTo = at;
      if (at === undefined) return timer.stop();
      timer.start(Math.max(1, at - clock.monotonic()), () => {
        setTo = undefined;
        ring();
      });
    },
  };
}
