import type { DescService } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  createClient as createConnectClient,
  type Transport,
} from "@connectrpc/connect";
import type { SessionArguments, SessionOptions } from "./options.js";
import { createSession, type Session } from "./session.js";

/** Connect's own client type, and the session behind it. `$` cannot occur in the name of a method. */
export type FarewellClient<S extends DescService> = Client<S> & { readonly $session: Session };

type Streaming = (input: unknown, options?: CallOptions) => AsyncIterable<unknown>;

/**
 * Connect's `createClient`, with streams that come back. Takes a session, or makes one of a plain transport. Leaving a
 * `for await` early, `return` and `throw` cancel the call, which they do not with Connect's own client.
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
  if (given && options !== undefined) throw new TypeError("options: a session has its own; expected none beside it");
  const session = given ? transport : createSession(transport, ...([options] as SessionArguments));
  const client = createConnectClient(service, session) as Record<string, unknown>;
  for (const { methodKind, localName } of service.methods) {
    if (methodKind === "server_streaming" || methodKind === "bidi_streaming") {
      client[localName] = cancelable(client[localName] as Streaming);
    }
  }
  return Object.assign(client, { $session: session }) as unknown as FarewellClient<S>;
}

function isSession(transport: Transport | Session): transport is Session {
  return "restart" in transport && "notice" in transport;
}

/** Gives the iterator the `return` and `throw` that Connect's leaves out (connect-es, promise-client.ts). */
function cancelable(call: Streaming): Streaming {
  return (input, options) => {
    const controller = new AbortController();
    const outer = options?.signal;
    const relay = () => controller.abort(outer?.reason);
    const free = () => outer?.removeEventListener("abort", relay);
    if (outer?.aborted) relay();
    else outer?.addEventListener("abort", relay);
    const iterator = call(input, { ...options, signal: controller.signal })[Symbol.asyncIterator]();
    const next = () => iterator.next();
    const freeing = async () => {
      let over = true;
      try {
        const result = await next();
        over = result.done === true;
        return result;
      } finally {
        if (over) free();
      }
    };
    const leave = () => {
      free();
      controller.abort();
      next().catch(() => {}); // the cancellation is the caller's own: it need not hear of it
    };
    return {
      [Symbol.asyncIterator]: () => ({
        next: outer ? freeing : next,
        return: async (value: unknown) => {
          leave();
          return { done: true as const, value };
        },
        throw: async (error: unknown) => {
          leave();
          throw error;
        },
      }),
    };
  };
}
