import type { Clock } from "../ports/clock.js";
import { after } from "../ports/timer.js";

/** A watchdog for one stream. It counts silence only while the caller waits: a slow reader is not a dead server. */
export interface Silence {
  /** Something came, or the caller began to wait. */
  heard(): void;
  /** Watches one attempt, until its signal aborts. */
  watch(signal: AbortSignal, lose: (silent: string) => void): void;
}

export function createSilence(
  clock: Clock,
  idleTimeoutMs: number | undefined,
  callerWaits: () => boolean,
): Silence | undefined {
  if (idleTimeoutMs === undefined) return undefined;
  let since = clock.monotonic();
  const watch: Silence["watch"] = (signal, lose) => {
    const leftMs = callerWaits() ? since + idleTimeoutMs - clock.monotonic() : idleTimeoutMs;
    if (leftMs <= 0) lose(`no message for ${idleTimeoutMs} ms`);
    else after(clock, leftMs, signal, () => watch(signal, lose));
  };
  return {
    heard() {
      since = clock.monotonic();
    },
    watch,
  };
}
