import type { Disconnect, DisconnectInit, Reason } from "../disconnect/disconnect.js";
import type { Pause } from "../ports/pause.js";
import type { SessionState } from "./state.js";
import type { StreamLabel } from "./stream-label.js";

/** How a stream came to its end. `complete`: the server finished it. `canceled`: the caller, or `session.close()`. */
export type Outcome = "complete" | "canceled" | "stopped" | "failed";

/**
 * What was missed across a reconnect: `"resumed"`: every stream in the outage has a `resume`, so the server was asked
 * for what came between. `"unknown"`: at least one stream was reopened with the same request.
 */
export type Gap = "resumed" | "unknown";

/** A Disconnect is also an event under the name of its reason: at most once for each reason in an outage. */
type ReasonEvents = { readonly [R in Reason]: Disconnect<R> };

/** Every event of a session, with its payload. */
export interface SessionEvents extends ReasonEvents {
  /** The first stream of the session is open: its response has begun. Again after `restart()`. */
  readonly connected: { readonly stream: StreamLabel };
  /** An outage began: a stream was lost. Once per outage, however many streams are lost. */
  readonly disconnected: { readonly disconnect: Disconnect; readonly stream: StreamLabel };
  /** An attempt was scheduled, `afterMs` ms from now. `attempt` counts from 1 in this outage. `why`: a sentence for logs. */
  readonly reconnecting: {
    readonly disconnect: Disconnect;
    readonly attempt: number;
    readonly afterMs: number;
    readonly why: string;
  };
  /**
   * `refresh` threw, or did not answer in time. It is asked again in `afterMs` ms, or not, where that is `undefined`.
   * `attempt` counts from 1, since the last success.
   */
  readonly refreshFailed: {
    readonly error: unknown;
    readonly attempt: number;
    readonly afterMs: number | undefined;
  };
  /** Nothing goes out until the device or the page can go on; `reconnecting` follows. Nothing failed. */
  readonly paused: { readonly why: Pause };
  /**
   * An attempt got through, after `downMs` ms. Follows every lost connection that comes back, also within one outage. Of a
   * server that says nothing until its first message, it comes with that, or when the stream counts as healthy.
   */
  readonly reconnected: { readonly downMs: number; readonly attempts: number; readonly gap: Gap };
  /** The session is over until `restart()`: every stream has been ended and later calls fail at once. */
  readonly ended: { readonly disconnect: Disconnect; readonly why: string };

  /** Where the session stands has changed. Comes after the events that tell what happened. */
  readonly state: SessionState;

  /** The server announced on its control stream what will happen, `at` a time if that is known. */
  readonly notice: { readonly announced: DisconnectInit; readonly at: Date | undefined };

  /** A stream is open for the first time. */
  readonly streamOpened: { readonly stream: StreamLabel };
  /** A stream was lost and will be reopened. */
  readonly streamLost: { readonly stream: StreamLabel; readonly disconnect: Disconnect };
  /** A stream is open again. */
  readonly streamReopened: { readonly stream: StreamLabel; readonly gap: Gap };
  /**
   * Messages are missing before the one that comes next. `missed`: so many, by `position`, on a stream whose positions had
   * no holes before; `undefined`: nobody knows how many. `reset`: the server has begun to count anew, and what it sent
   * meanwhile, or had still to send of the run before, is lost.
   */
  readonly streamGap: { readonly stream: StreamLabel; readonly missed: number | undefined; readonly reset: boolean };
  /** Exactly one for every stream, and its last. `why` says who decided, for `stopped`. */
  readonly streamEnded: {
    readonly stream: StreamLabel;
    readonly outcome: Outcome;
    readonly disconnect: Disconnect | undefined;
    readonly error: unknown;
    readonly why: string | undefined;
  };
}

/** One event with its payload. */
export type SessionEvent = {
  [T in keyof SessionEvents]: { readonly type: T; readonly payload: SessionEvents[T] };
}[keyof SessionEvents];

/** Typed construction of an event, so that a payload of the wrong event does not compile. */
export function event<T extends keyof SessionEvents>(type: T, payload: SessionEvents[T]): SessionEvent {
  return { type, payload } as SessionEvent;
}
