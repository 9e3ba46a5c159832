import type { Clock } from "../ports/clock.js";

/** One timer, that is set to another time as often as one likes. */
export interface Alarm {
  /** Epoch ms, or `undefined` for never. */
  set(at: number | undefined): void;
}

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let setTo: number | undefined;
  let timer = new AbortController();
  return {
    set(at) {
      if (at === setTo) return;
      setTo = at;
      timer.abort();
      if (at === undefined) return;
      timer = new AbortController();
      const rung = () => {
        setTo = undefined;
        ring();
      };
      clock.sleep(Math.max(1, at - clock.now()), timer.signal).then(rung, () => {}); // rejects when it is set anew
    },
  };
}
