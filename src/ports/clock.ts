/**
 * Time and chance, injected. Nothing else in the package touches `Date`, `performance`, `Math.random` or timers. Durations
 * are measured by `monotonic`, dates are compared with `now`.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch: the wall clock, which people and NTP set forth and back. */
  now(): number;
  /** Milliseconds since some moment in the past. It is never set; while the device sleeps it may stand still. */
  monotonic(): number;
  /** A number in [0, 1). */
  random(): number;
  /**
   * Resolves `ms` milliseconds from now, and never in the turn of the event loop in which it was called. Rejects with the signal's reason as soon as `signal` aborts, and leaves no
   * timer behind either way.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longer delays than this make `setTimeout` fire at once (HTML standard: a signed 32-bit integer). */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Node tells of a failed connection in the timers phase and closes it at the end of the same turn; who reopens it in
 * between brings the process down (connectrpc/connect-es#1768). Two immediates later that turn is over for certain.
 */
export function nextTurn(): Promise<void> {
  const { setImmediate: soon } = globalThis as { setImmediate?: (then: () => void) => unknown };
  return new Promise((resolve) => (soon ? soon(() => soon(resolve)) : resolve()));
}

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => Math.floor(performance.now()),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", settle);
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      };
      const wait = (leftMs: number) => {
        timer = setTimeout(
          () => (leftMs > longestTimerMs ? wait(leftMs - longestTimerMs) : void nextTurn().then(settle)),
          Math.min(leftMs, longestTimerMs),
        );
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", settle);
      wait(ms);
    }),
};
