import type { DescMessage, DescMethodStreaming, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { ContextValues, Transport } from "@connectrpc/connect";
import type { Evidence } from "../disconnect/classify.js";
import type { Disconnect } from "../disconnect/disconnect.js";
import type { Outcome, SessionEvent } from "../machine/events.js";
import type { StreamLabel } from "../machine/stream-label.js";
import type { Clock } from "../ports/clock.js";
import type { ConnectionState } from "../ports/connection-state.js";

/** What Connect hands to `Transport.stream`. */
export interface StreamCall {
  readonly method: DescMethodStreaming;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeadersInit | undefined;
  readonly input: AsyncIterable<MessageInitShape<DescMessage>>;
  readonly contextValues: ContextValues | undefined;
}

/** One stream, as its session sees it. */
export interface SessionStream {
  readonly label: StreamLabel;
  /** A stream that is not reopened neither waits for the others nor probes for them. */
  readonly reopenable: boolean;
  /** Whether it asks the server for what it missed, the next time. */
  readonly resumes: boolean;
  /** Whether it was ever open. */
  readonly opened: boolean;
  /** When its last attempt went out, by the clock for durations. */
  readonly sentAt: number;
  /** The last message that the caller got. */
  readonly last: Message | undefined;
  /** Its next attempt may go out. */
  letGo(): void;
  /**
   * Its attempt has failed for good. Whether it begins anew all the same, because its position was what the server refused.
   *
   * @throws what the app's `restart` throws
   */
  restarts(error: unknown): boolean;
  /** Its attempt is to be given up, without an end. */
  hold(): void;
  /** Its attempt is over, if it has one: whatever the transport says. */
  lose(evidence: Evidence): void;
  /** Ends it now, whatever the transport does. */
  stop(outcome: Outcome, error: unknown, disconnect?: Disconnect, why?: string): void;
}

/** The session, as one stream sees it. */
export interface StreamHost {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly headersTimeoutMs: number | undefined;
  /** Where the connection stands now, as long as this is the tick of the failure. */
  connection(): ConnectionState | undefined;
  /** It wants to be opened: `letGo`, or `stop`, follows. */
  joined(stream: SessionStream): void;
  /** It has headers. `first`: for the first time. */
  opened(stream: SessionStream, first: boolean): void;
  /** It has the first message of an attempt. */
  delivered(stream: SessionStream): void;
  /** Its attempt is over: `letGo`, or `stop`, follows. */
  lost(stream: SessionStream, evidence: Evidence): void;
  /** It is over: `ended` is the last that is told of it. */
  left(stream: SessionStream, ended: SessionEvent): void;
  emit(event: SessionEvent): void;
}
