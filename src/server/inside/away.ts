import type { Clock } from "../../ports/clock.js";
import { createLatest } from "../store/latest.js";
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
/** So many at most, so that they cost little where clients come and go without end; and of one user no more than so many. */
const most = 10_000;
const mostOfUser = 100;

export function createAway(clock: Clock): Away {
  const clients = new Map<string, StreamOfClient & { readonly leftAt: number }>(); // the first has been away for longest
  const ofUsers = createLatest<string>((user) => (user === undefined ? most : mostOfUser));

  function remove(key: string): void {
    const client = clients.get(key);
    if (!client) return;
    clients.delete(key);
    ofUsers.delete(client.who.user, key);
  }

  function forget(now: number): void {
    for (const [key, { leftAt }] of clients) {
      if (clients.size <= most && now - leftAt < rememberMs) return;
      remove(key);
    }
  }

  return {
    came: (admitted) => remove(keyOf(admitted)),
    left({ stream, who, goodbye }) {
      if (goodbye) return; // it was put out
      const key = keyOf({ stream, who });
      remove(key);
      clients.set(key, { stream, who, leftAt: clock.monotonic() });
      for (const old of ofUsers.add(who.user, key)) remove(old);
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
