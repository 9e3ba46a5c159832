import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { checkMethod } from "#check";
import type { Cursor } from "./cursor.js";
import { type CursorOptions, createCursor } from "./resuming.js";

interface Shared<O extends DescMessage> {
  /** The stream has no natural end: a clean end is a loss. @default false */
  readonly endless?: boolean;
  /** Lost after this many ms in which the caller waited and no message came. @default no watchdog */
  readonly idleTimeoutMs?: number;
  /**
   * Where a message stands in its stream; positions grow. A message whose position does not is a duplicate and is
   * dropped. If positions had no holes, a hole after a reopening is reported as `streamGap`. So is a server that has
   * begun to count anew: a message after a reopening that is below the last one, and none that the caller has had.
   */
  readonly position?: (message: MessageShape<O>) => number | bigint;
  /**
   * Which run of the server's counter a message belongs to, such as the number or the start of the process that sent it.
   * With it a new run is known for certain, by the first message that says another one, compared with `===`.
   *
   * @default concluded from the messages
   */
  readonly run?: (message: MessageShape<O>) => string | number | bigint;
  /**
   * The server refused the position that `resume` asked for, by an error that is no disconnect. True: open the stream from
   * the beginning, once, as if no message had come; told as a `streamGap` of unknown size. What it throws ends the stream.
   *
   * @default () => false
   * @example
   * restart: (error) => ConnectError.from(error).code === Code.OutOfRange
   */
  readonly restart?: (error: unknown) => boolean;
}

/** How a server stream is followed across losses. */
export interface ServerStreamOptions<I extends DescMessage, O extends DescMessage> extends Shared<O> {
  /** The stream is an answer, not a subscription: reopened only before its first message. @default false */
  readonly finite?: boolean;
  /** The request that continues after `last`, the last message that the caller got. @default the same request */
  readonly resume?: (request: MessageShape<I>, last: MessageShape<O>) => MessageInitShape<I>;
}

/** How a bidi stream is followed across losses. */
export interface BidiStreamOptions<I extends DescMessage, O extends DescMessage> extends Shared<O> {
  /**
   * The messages that open the new stream, after which the caller's own go on. `first` is the first message that the
   * caller sent and `last` the last one it got, if any. A message that was on its way when the stream was lost may be
   * lost with it: what must arrive belongs in here. Without `resume` a bidi stream is not reopened.
   */
  readonly resume: (first: MessageShape<I>, last: MessageShape<O> | undefined) => Iterable<MessageInitShape<I>>;
}

/** What {@link method} makes of its options, for the streams of one method. */
export interface StreamEntry {
  readonly method: DescMethod;
  readonly endless: boolean;
  readonly finite: boolean;
  readonly idleTimeoutMs: number | undefined;
  /** Where one stream stands. */
  readonly cursor: (method: DescMethod) => Cursor;
}

/** The options of either kind, whatever the messages are. */
interface EitherOptions extends CursorOptions {
  readonly endless?: boolean;
  readonly finite?: boolean;
  readonly idleTimeoutMs?: number;
}

/**
 * Says how the streams of one method are followed.
 *
 * @throws TypeError that names the option
 * @example
 * method(ChatService.method.subscribe, {
 *   endless: true,
 *   resume: (request, last) => ({ ...request, afterId: last.id }),
 *   position: (message) => message.id,
 * })
 */
export function method<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  options: BidiStreamOptions<I, O>,
): StreamEntry;
export function method<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  options: ServerStreamOptions<I, O>,
): StreamEntry;
export function method(
  method: DescMethod,
  options: Partial<ServerStreamOptions<DescMessage, DescMessage>> | BidiStreamOptions<DescMessage, DescMessage>,
): StreamEntry {
  checkMethod(method, options);
  const { endless = false, finite = false, idleTimeoutMs = 0, ...others } = options as EitherOptions;
  return {
    method,
    endless,
    finite,
    idleTimeoutMs: idleTimeoutMs > 0 ? idleTimeoutMs : undefined,
    cursor: (method) => createCursor(method, others),
  };
}
