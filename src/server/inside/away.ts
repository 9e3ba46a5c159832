import type { Clock } from "../../ports/clock.js";
import { matches, type Selector } from "../who/selector.js";
import { type AdmittedStream, clientOf, type StreamOfClient } from "./admitted-stream.js";

// Who was cut off and is about to come back is not inside, and yet a verdict may mean it.

/** Clients that have left by themselves a short while ago: they may be between two attempts. */
export interface Away {
  /** A stream has come in. */
  came(admitted: AdmittedStream): void;
  /** One has left. */
  left(admitted: AdmittedStream): void;
  /** The last stream of each client that has left within so many ms, and has none among those inside. */
  find(selector: Selector, withinMs: number, inside: readonly StreamOfClient[]): readonly StreamOfClient[];
}

/** For so long they are remembered: a session that has not come back by then waits for something else. */
const rememberMs = 60_000;
/** So many at most, so that they cost little where clients come and go without end. */
const most = 10_000;

export function createAway(clock: Clock): Away {
  const clients = new Map<string, StreamOfClient & { readonly leftAt: number }>(); // the first has been away for longest

  function forget(now: number): void {
    for (const [key, { leftAt }] of clients) {
      if (clients.size <= most && now - leftAt < rememberMs) return;
      clients.delete(key);
    }
  }

  return {
    came: (admitted) => void clients.delete(keyOf(admitted)),
    left({ stream, who, goodbye }) {
      if (goodbye) return; // it was put out
      const key = keyOf({ stream, who });
      clients.delete(key);
      clients.set(key, { stream, who, leftAt: clock.monotonic() });
      forget(clock.monotonic());
    },
    find(selector, withinMs, inside) {
      const now = clock.monotonic();
      forget(now);
      const present = new Set(inside.map(keyOf));
      return [...clients].flatMap(([key, client]) =>
        now - client.leftAt < withinMs && !present.has(key) && matches(selector, client.who, client.stream.id)
          ? [client]
          : [],
      );
    },
  };
}

/** Without a session, a user is known by the user alone. */
function keyOf(of: StreamOfClient): string {
  const { user, session } = of.who;
  return session === undefined && user !== undefined ? JSON.stringify([user]) : clientOf(of);
}
