import { Code, ConnectError, type StreamResponse, type Transport } from "@connectrpc/connect";
import type { Clock } from "../ports/clock.js";
import type { ConnectionState } from "../ports/connection-state.js";
import { createTimer } from "../ports/timer.js";

// Imported as "#connection". A browser hands out no connections: its bundle gets no-connection.ts.

/** The connection that an app has handed over. */
export interface Connection {
  /** The app's transport. A stream that has no answer yet when its connection is lost is lost with it. */
  readonly transport: Transport;
  /** Where the connection stands now. Who sees that something has failed looks, so that the others are told. */
  look(): ConnectionState | undefined;
}

export interface ConnectionOptions {
  readonly connection: { state(): ConnectionState } | undefined;
  readonly clock: Clock;
  readonly reportError: (error: unknown) => void;
}

/** A stream that has no answer yet. */
interface Unanswered {
  /** The connection had open streams after it was sent: it may be one of them. */
  underway: boolean;
  lose(): void;
}

const soonMs = 100; // a new connection takes so long
const everyMs = 1_000;

/**
 * Node tells nobody that a stream without headers has gone with its connection (connectrpc/connect-es#1678). So the state is looked at
 * each second while a stream has no answer. Unary calls are left alone: nothing would send a wrongly lost one again.
 */
export function connectionOf(inner: Transport, { connection, clock, reportError }: ConnectionOptions): Connection {
  if (!connection) return { transport: inner, look: () => undefined };
  const given = connection;
  const unanswered = new Set<Unanswered>();
  const timer = createTimer(clock);

  function look(): ConnectionState | undefined {
    let state: ConnectionState;
    try {
      state = given.state();
    } catch (error) {
      reportError(error);
      return undefined;
    }
    for (const stream of unanswered) {
      if (state === "open") stream.underway = true;
      else if (stream.underway && (state === "closed" || state === "error")) stream.lose();
    }
    return state;
  }

  function keepLooking(afterMs: number): void {
    timer.start(afterMs, () => {
      keepLooking(everyMs);
      look();
    });
  }

  function stream(...call: Parameters<Transport["stream"]>): Promise<StreamResponse> {
    const [, signal] = call;
    return new Promise<StreamResponse>((resolve, reject) => {
      const answered = () => {
        unanswered.delete(own);
        if (unanswered.size === 0) timer.stop();
      };
      const own: Unanswered = {
        underway: false,
        lose() {
          answered();
          reject(new ConnectError("the connection was lost before the response began", Code.Unavailable));
        },
      };
      if (unanswered.size === 0) keepLooking(soonMs);
      unanswered.add(own);
      signal?.addEventListener("abort", answered, { once: true });
      new Promise<StreamResponse>((sent) => sent(inner.stream(...call))).finally(answered).then(resolve, reject);
    });
  }

  return {
    transport: {
      unary: (...call) => inner.unary(...call),
      stream: stream as unknown as Transport["stream"],
    },
    look,
  };
}
