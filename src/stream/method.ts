import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { functionOr, invalid, numberIn, objectOf } from "../check/invalid.js";

interface Shared<O extends DescMessage> {
  /** The stream has no natural end: a clean end is a loss. @default false */
  readonly endless?: boolean;
  /** Lost after this many ms in which the caller waited and no message came. @default no watchdog */
  readonly silenceMs?: number;
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

/** An entry of `createSession`'s `methods`. Made by {@link method}. */
export interface MethodEntry {
  readonly method: DescMethod;
  readonly endless: boolean;
  readonly finite: boolean;
  readonly silenceMs: number | undefined;
  readonly position: ((message: never) => number | bigint) | undefined;
  readonly resume: ((first: never, last: never) => unknown) | undefined;
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
): MethodEntry;
export function method<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  options: ServerStreamOptions<I, O>,
): MethodEntry;
export function method(
  method: DescMethod,
  options: Partial<ServerStreamOptions<DescMessage, DescMessage>> | BidiStreamOptions<DescMessage, DescMessage>,
): MethodEntry {
  const kind = method?.methodKind;
  if (kind !== "server_streaming" && kind !== "bidi_streaming") {
    throw invalid("method", kind ?? method, "a server-streaming or bidi-streaming method, such as Service.method.name");
  }
  const at = `method(${nameOf(method)})`;
  const known = ["endless", "silenceMs", "position", "resume", ...(kind === "server_streaming" ? ["finite"] : [])];
  const { endless = false, finite = false, silenceMs, position, resume } = objectOf(at, options, known);
  for (const [name, flag] of Object.entries({ endless, finite })) {
    if (typeof flag !== "boolean") throw invalid(`${at}.${name}`, flag, "true or false");
  }
  if (endless && finite) throw invalid(`${at}.finite`, finite, "false, because the method is endless");
  if (silenceMs !== undefined) numberIn(`${at}.silenceMs`, silenceMs, 1);
  functionOr(`${at}.position`, position);
  functionOr(`${at}.resume`, resume);
  if (kind === "bidi_streaming" && !resume)
    throw invalid(`${at}.resume`, resume, "a function that opens the new stream");
  return { method, endless, finite, silenceMs, position, resume } as MethodEntry;
}

/** The messages that open an attempt: none the first time, for the caller's own come then. */
export function requestOf(
  method: DescMethod,
  entry: MethodEntry | undefined,
  first: MessageInitShape<DescMessage> | undefined,
  last: Message | undefined,
): Iterable<MessageInitShape<DescMessage>> {
  if (first === undefined) return [];
  const request = create(method.input, first);
  const resume = entry?.resume as ((first: Message, last: Message | undefined) => unknown) | undefined;
  if (!resume || (method.methodKind === "server_streaming" && last === undefined)) return [request];
  const answer = resume(request, last);
  const requests = method.methodKind === "bidi_streaming" ? [...(answer as Iterable<unknown>)] : [answer];
  return requests.map((message) => checkRequest(method, message));
}

/** A misspelt field would be dropped without a word, and the stream would start from the beginning. */
function checkRequest(method: DescMethod, message: unknown): MessageInitShape<DescMessage> {
  const { fields, oneofs } = method.input;
  const known = [...fields, ...oneofs].map(({ localName }) => localName);
  return objectOf(`method(${nameOf(method)}).resume`, message, [...known, "$typeName", "$unknown"]) as never;
}

/** @throws TypeError that names the method, where `position` answers with something else. */
export function positionOf(entry: MethodEntry, message: Message): number | bigint {
  const at: unknown = entry.position?.(message as never);
  if (typeof at === "bigint" || Number.isInteger(at)) return at as number | bigint;
  throw invalid(`method(${nameOf(entry.method)}).position`, at, "to answer with an integer or a bigint");
}

/** `package.Service/Method`, as in the request's path. */
export function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}
