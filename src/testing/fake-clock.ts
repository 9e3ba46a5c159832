import { functionOr, numberIn } from "../check/invalid.js";
import type { Clock } from "../ports/clock.js";

/** A clock that stands still until it is told to go on. */
export interface FakeClock extends Clock {
  /**
   * Lets `ms` milliseconds pass. Every sleeper that falls due in them wakes at its own time and in order, and what it
   * does as a result is done before the next one wakes. Real promises and I/O of the same process are given the
   * turns they need, but no real time.
   */
  advance(ms: number): Promise<void>;
  /**
   * Sets the wall clock, as people and NTP do: `now()` answers with `epochMs` and goes on from there. No time passes:
   * `monotonic()` and all sleepers stay as they are. A sleep of the device, in which timers stand still, looks the same.
   */
  setWallClock(epochMs: number): void;
  /** Lets work that needs no time finish. */
  settle(): Promise<void>;
  /** How many sleep now. A test that ends with sleepers has leaked a timer. */
  readonly sleepers: number;
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * Makes a clock for tests, to be given to `createSession` as `clock`.
 *
 * @param options `now`: where it starts, epoch ms, @default 2030-01-01; `random`: what chance answers, @default 0.5
 * @throws TypeError that names the option
 * @example
 * const clock = createFakeClock();
 * const session = createSession(transport, { clock });
 * await clock.advance(30_000);
 */
export function createFakeClock(options: { readonly now?: number; readonly random?: () => number } = {}): FakeClock {
  const { now: start = Date.UTC(2030, 0, 1), random = () => 0.5 } = options;
  let wallAhead = numberIn("now", start, 0); // of the monotonic clock, which begins with 0
  let now = 0;
  functionOr("random", random);
  const sleepers = new Set<Sleeper>();
  return {
    now: () => wallAhead + now,
    monotonic: () => now,
    random,
    get sleepers() {
      return sleepers.size;
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper: Sleeper = {
          at: now + Math.max(0, ms),
          wake() {
            sleepers.delete(sleeper);
            signal?.removeEventListener("abort", cancel);
            resolve();
          },
        };
        const cancel = () => {
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", cancel, { once: true });
      }),
    async advance(ms) {
      const until = now + numberIn("ms", ms, 0);
      await settle();
      for (;;) {
        let first: Sleeper | undefined;
        for (const sleeper of sleepers) if (sleeper.at <= until && (!first || sleeper.at < first.at)) first = sleeper;
        if (!first) break;
        now = Math.max(now, first.at);
        first.wake();
        await settle();
      }
      now = until;
      await settle();
    },
    setWallClock(epochMs) {
      wallAhead = numberIn("epochMs", epochMs, 0) - now;
    },
    settle,
  };
}

/** Turns of the event loop that in-memory transports need to pass a message or an error on, with much to spare. */
const turnsToSettle = 20;

async function settle(): Promise<void> {
  // Node's setImmediate takes no time at all; elsewhere a timer of 0 ms has to do.
  const { setImmediate: soon = setTimeout } = globalThis as { setImmediate?: (turn: () => void) => unknown };
  for (let turn = 0; turn < turnsToSettle; turn++) await new Promise<void>((resolve) => soon(resolve));
}
