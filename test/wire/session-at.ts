import type { Interceptor, ServiceImpl } from "@connectrpc/connect";
import { ChatService, type Message } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type Policies, type SessionOptions } from "../../src/index.js";
import { listen } from "../in-memory.js";
import { startChatServer } from "./chat-server.js";
import { type Client, type Link, linkTo } from "./clients.js";
import { clock } from "./leave-nothing.js";

/** Real sockets need real time, so there is little of it: a millisecond where the defaults take seconds. */
export const soon = { initialMs: 1, maxMs: 5, jitter: "none", maxServerMs: 1 } as const;

export const soonForAll: Policies = {
  unauthenticated: soon,
  maintenance: soon,
  throttled: soon,
  aborted: soon,
  network: soon,
};

/** A session on the link, its client, and what it tells. */
export function sessionAt({ transport, connection }: Link, options: SessionOptions = {}) {
  const manager = { state: () => connection() ?? "closed" } as const;
  const session = createSession(transport, {
    clock,
    healthyAfterMs: 3_600_000, // or on a slow machine one outage may count as two
    rateLimit: false,
    policies: soonForAll,
    ...(connection() !== undefined && { connection: manager }),
    ...options,
  });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

/** A session at a server of its own, which serves the methods given. `own`: closes both when the test is over. */
export async function sessionAtServer(
  own: <T extends { close(): unknown }>(thing: T) => T,
  client: Client,
  methods: Partial<ServiceImpl<typeof ChatService>>,
  options: SessionOptions = {},
  interceptors: Interceptor[] = [],
) {
  const server = own(await startChatServer(client.httpVersion, methods));
  const link = linkTo(server.url, client, { interceptors });
  const told = sessionAt(link, options);
  own(told.session);
  return { server, link, ...told };
}

/** Reads `count` more messages, or fewer if the stream ends before: their ids, and what it threw. */
export async function read(
  count: number,
  messages: AsyncIterator<Message>,
): Promise<{ readonly ids: readonly number[]; readonly error?: unknown }> {
  const ids: number[] = [];
  try {
    while (ids.length < count) {
      const { done, value } = await messages.next();
      if (done) break;
      ids.push(value.id);
    }
    return { ids };
  } catch (error) {
    return { ids, error };
  }
}

/** Two messages, and then silence until the call is over. */
export async function* twoThenSilence(_: unknown, { signal }: { readonly signal: AbortSignal }) {
  yield { id: 1 };
  yield { id: 2 };
  await over(signal);
}

/** Resolves when the call is over. */
export async function over(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
}
