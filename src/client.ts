import {
  clone,
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescService,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  createClient as createConnectClient,
  type Transport,
} from "@connectrpc/connect";
import { checkClient } from "#check";
import { guarded } from "./ports/guarded.js";
import { type Reporter, reporterOf, type SessionArguments, type SessionOptions } from "./session/options.js";
import { createSession } from "./session/session.js";
import type { Session } from "./session/types.js";
import { type StreamHooks, tie } from "./stream/hooks.js";

/** Connect's own options of a call, and what it may hear of its own stream. */
export interface StreamCallOptions extends CallOptions, StreamHooks {}

/**
 * Connect's own client type, with {@link StreamHooks} beside the options of streams, and the session behind it. `$` cannot
 * occur in the name of a method.
 */
export type FarewellClient<S extends DescService> = {
  [M in keyof Client<S>]: Client<S>[M] extends (input: infer I, options?: CallOptions) => AsyncIterable<infer O>
    ? (input: I, options?: StreamCallOptions) => AsyncIterable<O>
    : unknown;
} & Client<S> & { readonly $session: Session };

/**
 * Connect's `createClient`, with streams that come back. Takes a session, or makes one of a plain transport. Leaving a
 * `for await` early, `return` and `throw` cancel the call, which they do not with Connect's own client before 2.3.
 *
 * @throws TypeError for options beside a session: they belong to `createSession`
 * @example
 * const chat = createClient(ChatService, session);
 * for await (const message of chat.subscribe({ room: "lobby" })) render(message);
 */
export function createClient<S extends DescService>(service: S, session: Session): FarewellClient<S>;
export function createClient<S extends DescService>(
  service: S,
  transport: Transport,
  ...options: SessionArguments
): FarewellClient<S>;
export function createClient<S extends DescService>(
  service: S,
  transport: Transport | Session,
  options?: SessionOptions,
): FarewellClient<S> {
  const given = isSession(transport);
  checkClient(service, given, options);
  const session = given ? transport : createSession(transport, ...([options] as SessionArguments));
  const report = reporterOf(session);
  const client = createConnectClient(service, session) as unknown as Record<string, Call>;
  for (const method of service.methods) {
    const { localName, methodKind } = method;
    const { [localName]: unary } = client;
    const call: Call | undefined =
      methodKind === "server_streaming" || methodKind === "bidi_streaming"
        ? (input, options) =>
            stream(
              session,
              method as DescMethodStreaming,
              methodKind === "bidi_streaming" ? input : requestOf(method, input),
              options,
            )
        : unary;
    if (call) client[localName] = (input, options) => call(input, heeded(options, report));
  }
  // Not among the methods, for who wraps them all.
  return Object.defineProperty(client, "$session", { value: session }) as unknown as FarewellClient<S>;
}

type Call = (input: never, options?: StreamCallOptions) => unknown;

/** What `onHeader` and `onTrailer` throw is the call's own error, as with Connect. What they reject with later is reported. */
function heeded(options: StreamCallOptions | undefined, report: Reporter): StreamCallOptions {
  const heed = (hook: (headers: Headers) => unknown) => (headers: Headers) => {
    const answer = hook(headers);
    void guarded(() => answer, report);
  };
  const { onHeader, onTrailer } = options ?? {};
  return {
    ...options,
    ...(onHeader && { onHeader: heed(onHeader) }),
    ...(onTrailer && { onTrailer: heed(onTrailer) }),
  };
}

/** The request as it is when it is first asked for: at the call. */
async function* requestOf({ input }: DescMethod, request: MessageInitShape<DescMessage>): AsyncGenerator<Message> {
  yield clone(input, create(input, request));
}

function isSession(transport: Transport | Session): transport is Session {
  return typeof transport === "object" && transport !== null && "restart" in transport && "notice" in transport;
}

/** What Connect's client does, plus the `return` and `throw` that it leaves out (connect-es, promise-client.ts). */
function stream(
  session: Session,
  method: DescMethodStreaming,
  input: AsyncIterable<MessageInitShape<DescMessage>>,
  options: StreamCallOptions = {},
): AsyncIterable<Message> {
  const { signal, timeoutMs, headers, contextValues, onHeader, onTrailer } = options;
  const controller = new AbortController();
  const relay = () => controller.abort(signal?.reason);
  const free = () => signal?.removeEventListener("abort", relay);
  if (signal?.aborted) relay();
  else signal?.addEventListener("abort", relay);
  const iterable = { [Symbol.asyncIterator]: () => iterator };
  const opening = session.stream(method, controller.signal, timeoutMs, headers, input, contextValues, (label) =>
    tie(iterable, label, options),
  );
  let failed = false;
  let opened: Promise<void> | undefined;
  let messages: AsyncIterator<Message> | undefined;
  let trailer: Headers | undefined;

  const open = async (): Promise<void> => {
    const response = await opening;
    onHeader?.(response.header);
    trailer = response.trailer;
    messages = response.message[Symbol.asyncIterator]();
  };
  const next = (): Promise<IteratorResult<Message>> => {
    if (!messages) {
      opened ??= open();
      return opened.then(next, fail);
    }
    // A stream without ends to tie is read directly: a promise less for each message.
    return signal || onTrailer ? messages.next().then(settle, fail) : messages.next();
  };
  const settle = (result: IteratorResult<Message>) => {
    if (result.done) {
      free();
      if (trailer) onTrailer?.(trailer);
      trailer = undefined; // told once
    }
    return result;
  };
  const fail = (error: unknown): IteratorReturnResult<undefined> => {
    free();
    controller.abort(); // `onHeader` may have thrown: nobody reads on
    trailer = undefined;
    if (failed) return { done: true, value: undefined }; // thrown once, as from a generator
    failed = true;
    throw error;
  };
  const leave = () => {
    free();
    controller.abort();
    next().catch(() => {}); // the cancellation is the caller's own: it need not hear of it
  };
  const iterator: AsyncIterator<Message> = {
    next,
    return: async (value: unknown) => {
      leave();
      return { done: true, value };
    },
    throw: async (error: unknown) => {
      leave();
      throw error;
    },
  };
  return iterable;
}
