import type { Clock } from "../../ports/clock.js";
import { within } from "../../ports/timer.js";
import type { RawStream } from "./raw-stream.js";

/** What has come of unary calls that were waited for. */
export interface UnaryOutcome {
  /** Were answered, or given up by their clients. */
  readonly finished: number;
  /** Were still worked on when the time was up. */
  readonly unfinished: number;
}

/** The unary calls that are worked on. Nothing ends them; a process that is to end waits for them. */
export interface UnaryCalls {
  /** Works on one. It is over when its handler has ended and its answer has left. */
  work<T>(raw: RawStream | undefined, handle: () => Promise<T>): Promise<T>;
  /** Waits for all that are worked on now, for so many ms at most. */
  finish(withinMs: number): Promise<UnaryOutcome>;
}

export function createUnaryCalls(clock: Clock): UnaryCalls {
  const inFlight = new Set<Promise<unknown>>();
  return {
    work(raw, handle) {
      // Asked first: what is below may be gone before the handler ends.
      const left = raw && new Promise<void>((resolve) => raw.onGone(resolve));
      const answer = handle();
      const over: Promise<unknown> = Promise.allSettled([answer, left]).then(() => inFlight.delete(over));
      inFlight.add(over);
      return answer;
    },
    async finish(withinMs) {
      const awaited = [...inFlight];
      await within(withinMs, Promise.all(awaited), clock);
      const unfinished = awaited.filter((call) => inFlight.has(call)).length;
      return { finished: awaited.length - unfinished, unfinished };
    },
  };
}
