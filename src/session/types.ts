/// <reference lib="esnext.disposable" preserve="true" />
import type { DescMessage, DescMethodStreaming, MessageInitShape } from "@bufbuild/protobuf";
import type { ContextValues, StreamResponse, Transport } from "@connectrpc/connect";
import type { DisconnectInit, Reason } from "../disconnect/disconnect.js";
import type { SessionEvents } from "../machine/events.js";
import type { SessionState } from "../machine/state.js";
import type { StreamLabel } from "../machine/stream-label.js";
import type { Listener } from "./listeners.js";

/** `onKicked`, `onBanned`, … one for each reason. Each returns its own removal. */
type ReasonListeners = { readonly [R in Reason as `on${Capitalize<R>}`]: (listener: Listener<R>) => () => void };

/**
 * One login of one user against one server. It is a `Transport`: Connect's clients and interceptors take it as it is.
 * Its streams come back after losses by the policy for the reason, and end together by a verdict.
 */
export type Session = Transport & ReasonListeners & SessionControls;

/** What a session has beside Connect's `unary` and `stream`. */
export interface SessionControls {
  /** Connect's `stream`. `labelled` gets the label of the stream, before anything is told of it. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
    labelled?: (stream: StreamLabel) => void,
  ): Promise<StreamResponse<I, O>>;
  /** Where the session stands. A new object with each change. */
  readonly state: SessionState;
  /** Calls `listener` for each event of a type. Returns the removal. What a listener throws goes to `reportError`. */
  on<T extends keyof SessionEvents>(this: void, type: T, listener: Listener<T>): () => void;
  /**
   * Remembers a reason that the server announced by other means, such as a message in a stream. A stream that is cut
   * within `noticeTtlMs` of `at` takes it for its reason.
   *
   * @param at when it will happen, @default now
   * @throws TypeError that names the field: an unknown reason, or a value of the wrong kind
   */
  notice(this: void, announced: DisconnectInit, at?: Date): void;
  /**
   * Ends a wait early, for a "try now" button: the next attempt goes out as soon as the rate limit lets it, but not
   * before a time that the server gave. A `refresh` that has been on its way for a second is given up, and called anew. Does
   * nothing where nothing waits.
   */
  retry(this: void): void;
  /**
   * Gets new credentials now. Where they are on their way already, it is the same call of `refresh`. After a pause, in which
   * that call was given up, it is the next one.
   *
   * @returns `true` where there are new ones. `false` where the user is signed out: then the session has ended
   * @throws what `refresh` has thrown, or that it did not answer in time; what the session has ended with; TypeError where it
   * has no `refresh`
   */
  refresh(this: void): Promise<boolean>;
  /**
   * After a new login: lifts the verdict, so that calls go out again. Streams that were ended stay ended.
   *
   * @throws Error if the session is closed
   */
  restart(this: void): void;
  /** Ends every stream and call with `Code.Canceled`, at once and for good. */
  close(this: void): void;
  [Symbol.dispose](): void;
}
