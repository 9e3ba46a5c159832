import {
  Code,
  ConnectError,
  type ConnectRouter,
  createRouterTransport,
  type HandlerContext,
  type StreamResponse,
  type Transport,
} from "@connectrpc/connect";
import type { SubscribeRequest } from "../examples/gen/chat/v1/chat_pb.js";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import type { Session, SessionEvents } from "../src/index.js";

/** One call that reached the server, and the test's hands on it. */
export interface ServedStream {
  readonly request: SubscribeRequest;
  readonly context: HandlerContext;
  /** @param text @default `message ${id}` */
  send(id: number, text?: string): void;
  /** Ends it: cleanly, or with an error. */
  end(error?: unknown): void;
  /** Whether its handler has ended. */
  readonly over: boolean;
}

/** A chat server in memory: each subscription waits for the test to say what happens. */
export interface InMemoryServer {
  readonly transport: Transport;
  /** Every subscription so far, in order. */
  readonly streams: readonly ServedStream[];
  /** What new subscriptions get instead of being served, until it is set to `undefined`. */
  refuse: ((request: SubscribeRequest, attempt: number) => unknown) | undefined;
  /** Streams whose handler still runs. */
  readonly live: number;
}

export function createInMemoryServer(more: (router: ConnectRouter) => void = () => {}): InMemoryServer {
  const streams: ServedStream[] = [];
  const server: InMemoryServer = {
    streams,
    refuse: undefined,
    get live() {
      return streams.filter(({ over }) => !over).length;
    },
    transport: createRouterTransport((router) => {
      router.rpc(ChatService.method.subscribe, async function* (request, context) {
        const refusal = server.refuse?.(request, streams.length);
        let wake = () => {};
        const inbox: ({ id: number; text: string } | { error: unknown })[] =
          refusal === undefined ? [] : [{ error: refusal }];
        let over = false;
        const put = (item: (typeof inbox)[number]) => {
          inbox.push(item);
          wake();
        };
        streams.push({
          request,
          context,
          send: (id, text = `message ${id}`) => put({ id, text }),
          end: (error) => put({ error }),
          get over() {
            return over || context.signal.aborted; // a generator that nobody pulls any more stays where it is
          },
        });
        context.signal.addEventListener("abort", () => put({ error: context.signal.reason }));
        try {
          for (;;) {
            const item = inbox.shift();
            if (item === undefined) await new Promise<void>((resolve) => (wake = resolve));
            else if ("id" in item) yield item;
            else if (item.error === undefined) return;
            else throw item.error;
          }
        } finally {
          over = true;
        }
      });
      more(router);
    }),
  };
  return server;
}

/** Everything that a session tells, as `type` or `type: detail` lines a test can compare at a glance. */
export function listen(session: Session): { readonly lines: string[]; readonly events: [string, unknown][] } {
  const lines: string[] = [];
  const events: [string, unknown][] = [];
  const types: { readonly [T in Exclude<keyof SessionEvents, "state">]: (payload: SessionEvents[T]) => string } = {
    kicked: ({ message }) => message,
    banned: ({ message }) => message,
    superseded: ({ message }) => message,
    unauthenticated: ({ message }) => message,
    maintenance: ({ message }) => message,
    throttled: ({ message }) => message,
    aborted: ({ message }) => message,
    network: ({ message }) => message,
    connected: () => "",
    disconnected: ({ disconnect }) => disconnect.reason,
    reconnecting: ({ attempt, afterMs }) => `#${attempt} in ${afterMs} ms`,
    refreshFailed: ({ attempt, afterMs }) => `#${attempt}, again in ${afterMs} ms`,
    paused: ({ why }) => why,
    reconnected: ({ attempts, gap }) => `after ${attempts}, gap ${gap}`,
    ended: ({ why }) => why,
    notice: ({ announced, at }) => `${announced.reason}${at ? ` at ${at.toISOString()}` : ""}`,
    streamOpened: ({ stream }) => `${stream.id}`,
    streamLost: ({ stream, disconnect }) => `${stream.id} ${disconnect.reason}`,
    streamReopened: ({ stream, gap }) => `${stream.id} gap ${gap}`,
    streamGap: ({ stream, missed, reset }) => `${stream.id} missed ${missed ?? "?"}${reset ? ", reset" : ""}`,
    streamEnded: ({ stream, outcome }) => `${stream.id} ${outcome}`,
  };
  for (const type of Object.keys(types) as (keyof typeof types)[]) {
    session.on(type, (payload) => {
      const line = (types[type] as (payload: unknown) => string)(payload);
      lines.push(line === "" ? type : `${type}: ${line}`);
      events.push([type, payload]);
    });
  }
  return { lines, events };
}

/** Reads a stream to its end: what came, and what it threw. */
export function collect<T>(stream: AsyncIterable<T>): { readonly messages: T[]; readonly end: Promise<unknown> } {
  const messages: T[] = [];
  const end = (async () => {
    try {
      for await (const message of stream) messages.push(message);
      return undefined;
    } catch (error) {
      return error;
    }
  })();
  return { messages, end };
}

/** The same transport, but where the server fails a stream it resets it: connect-node's words for that, and no status. */
export function cutting(transport: Transport): Transport {
  return {
    ...transport,
    stream: (async (...call: Parameters<Transport["stream"]>) => {
      const response = await transport.stream(...call);
      return { ...response, message: cut(response.message) };
    }) as unknown as Transport["stream"],
  };
}

async function* cut<T extends StreamResponse["message"]>(messages: T) {
  try {
    yield* messages;
  } catch {
    throw new ConnectError("Stream closed with error code NGHTTP2_INTERNAL_ERROR", Code.Internal);
  }
}
