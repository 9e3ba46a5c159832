import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import type { Clock } from "../ports/clock.js";
import type { ConnectionState } from "../ports/connection-state.js";
import { answerOf } from "../ports/guarded.js";
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
  /** What the app has handed over. A transport that knows its connection itself, as that of `farewell/node` does, needs none. */
  readonly connection: Stated | undefined;
  readonly clock: Clock;
  readonly reportError: (error: unknown) => void;
}

interface Stated {
  state(): ConnectionState;
}

/** A call that has no answer yet. */
interface Unanswered {
  readonly sentAt: number;
  readonly kept: boolean;
  /** The connection had open streams after it was sent: it may be one of them. */
  underway: boolean;
  lose(why: string): void;
}

const soonMs = 100; // a new connection takes so long
const everyMs = 1_000;
/** connect-node verifies a connection for 15 s, unless told otherwise, or without end where it is closed meanwhile. */
const stuckMs = 60_000;

/**
 * Node tells nobody that a stream without headers has gone with its connection (connectrpc/connect-es#1678), and a session manager
 * that is stuck says nothing either. So the state is looked at each second while a call has no answer. A unary call is lost only
 * where it cannot have gone out: nothing would send a wrongly lost one again.
 */
export function connectionOf(inner: Transport, { connection, clock, reportError }: ConnectionOptions): Connection {
  if (!connection) {
    const own = ownOf(inner); // it ends what is lost by itself
    return { transport: inner, look: () => answerOf(() => own?.state(), reportError) };
  }
  const given = connection;
  const unanswered = new Set<Unanswered>();
  const timer = createTimer(clock);
  let verifyingSince: number | undefined;

  function look(): ConnectionState | undefined {
    const state = answerOf(() => given.state(), reportError);
    if (state === undefined) return undefined;
    const now = clock.monotonic();
    verifyingSince = state === "verifying" ? (verifyingSince ?? now) : undefined;
    const stuckFor = verifyingSince === undefined ? 0 : now - verifyingSince;
    for (const call of unanswered) {
      const stuck = stuckFor >= stuckMs && (!call.kept || call.sentAt > now - stuckFor - everyMs);
      if (stuck) call.lose(`the connection has been "verifying" for ${stuckMs / 1_000} s: no call gets through`);
      else if (state === "open") call.underway = true;
      else if (call.underway && !call.kept && (state === "closed" || state === "error"))
        call.lose("the connection was lost before the response began");
    }
    return state;
  }

  function keepLooking(afterMs: number): void {
    timer.start(afterMs, () => {
      keepLooking(everyMs);
      look();
    });
  }

  /** Settles as the call does, or when it is lost. `kept`: it is not lost with its connection. */
  function watched<T>(send: () => Promise<T>, signal: AbortSignal | undefined, kept: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const answered = () => {
        unanswered.delete(own);
        if (unanswered.size === 0) timer.stop();
      };
      const own: Unanswered = {
        ...{ kept, sentAt: clock.monotonic(), underway: false },
        lose(why) {
          answered();
          reject(new ConnectError(why, Code.Unavailable));
        },
      };
      if (unanswered.size === 0) keepLooking(soonMs);
      unanswered.add(own);
      signal?.addEventListener("abort", answered, { once: true });
      new Promise<T>((sent) => sent(send())).finally(answered).then(resolve, reject);
    });
  }

  const transport: Pick<Transport, "stream" | "unary"> = {
    unary: (...call) => watched(() => inner.unary(...call), call[1], true),
    stream: (...call) => watched(() => inner.stream(...call), call[1], false),
  };
  return { transport, look };
}

/** `nodeTransport` of `farewell/node` knows its connection. */
function ownOf(transport: Transport & { readonly connection?: Partial<Stated> }): Stated | undefined {
  const { connection } = transport;
  return typeof connection?.state === "function" ? (connection as Stated) : undefined;
}
