/** Time and chance, injected. Nothing else in the package touches `Date`, `Math.random` or timers. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  /**
   * Resolves `ms` milliseconds from now. Rejects with the signal's reason as soon as `signal` aborts, and leaves no
   * timer behind either way.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longer delays than this make `setTimeout` fire at once (HTML standard: a signed 32-bit integer). */
const longestTimerMs = 2 ** 31 - 1;

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
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
          () => (leftMs > longestTimerMs ? wait(leftMs - longestTimerMs) : settle()),
          Math.min(leftMs, longestTimerMs),
        );
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", settle);
      wait(ms);
    }),
};
