import { createTimer } from "../ports/timer.js";
import type { SessionPort, SessionStream } from "../session/extension.js";

/** Signs of life of a server: after too long a silence its connection is dead. */
export interface Heartbeat {
  /** How often the server gives a sign of life, in ms. Until it has said so, nothing is expected. */
  every(beatMs: number): void;
  /** One has come, or is waited for from now on. */
  heard(): void;
  stop(): void;
}

const silentBeats = 2.5;

// What a server says of its beats is taken for no less, and no more.
const fastestMs = 1_000;
const slowestMs = 86_400_000;

/** `silent` gets the streams that have had no news lately either: the connection is dead for them as well. */
export function createHeartbeat(
  { clock, streams }: Pick<SessionPort, "clock"> & { readonly streams: () => readonly SessionStream[] },
  silent: (dead: readonly SessionStream[], silentMs: number) => void,
): Heartbeat {
  const timer = createTimer(clock);
  let beatMs: number | undefined;
  return {
    every(ms) {
      beatMs = Math.min(Math.max(ms, fastestMs), slowestMs);
    },
    heard() {
      if (beatMs === undefined) return;
      const lastMs = beatMs;
      timer.start(lastMs * (silentBeats - 1), () => {
        const marks = new Map(streams().map((stream) => [stream, stream.last]));
        const markedAt = clock.monotonic();
        const hasNews = (stream: SessionStream) =>
          stream.sentAt >= markedAt || (stream.last !== undefined && stream.last !== marks.get(stream));
        timer.start(lastMs, () => {
          const dead = streams().filter((stream) => !hasNews(stream));
          silent(dead, lastMs * silentBeats);
        });
      });
    },
    stop: timer.stop,
  };
}
