import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { checkMethod } from "#check";
import { createPositions, type Position, type Positions } from "./positions.js";
import { type Requests, type Resume, resumedRequests, sameRequest } from "./request.js";

interface Shared<O extends DescMessage> {
  /** The stream has no natural end: a clean end is a loss. @default false */
  readonly endless?: boolean;
  /** Lost after this many ms in which the caller waited and no message came. @default no watchdog */
  readonly idleTimeoutMs?: number;
  /**
   * Where a message stands in its stream; positions grow. A message whose position does not is a duplicate and is
   * dropped. If positions had no holes, a hole after a reopening is reported as `streamGap`.
   */
  readonly position?: (message: MessageShape<O>) => number | bigint;
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
  /** Whether the server is asked for what was missed. */
  readonly resumes: boolean;
  /** The messages that open an attempt: `first` is the caller's first message, `last` the last one that it got. */
  readonly requests: Requests;
  /** Where one stream stands, if its messages say so. */
  readonly positions: (() => Positions) | undefined;
}

/** The options of either kind, whatever the messages are. */
interface EitherOptions {
  readonly endless?: boolean;
  readonly finite?: boolean;
  readonly idleTimeoutMs?: number;
  readonly position?: Position;
  readonly resume?: Resume;
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
  const { endless = false, finite = false, idleTimeoutMs = 0, position, resume } = options as EitherOptions;
  return {
    method,
    endless,
    finite,
    idleTimeoutMs: idleTimeoutMs > 0 ? idleTimeoutMs : undefined,
    resumes: resume !== undefined,
    requests: resume ? resumedRequests(method, resume) : sameRequest(method),
    positions: position ? () => createPositions(method, position) : undefined,
  };
}
