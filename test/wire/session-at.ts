import type { Message } from "../../examples/gen/chat/v1/chat_pb.js";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type Policies, type SessionOptions } from "../../src/index.js";
import { listen } from "../in-memory.js";
import type { Link } from "./clients.js";
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
    rateLimit: false,
    policies: soonForAll,
    ...(connection() !== undefined && { connection: manager }),
    ...options,
  });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
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
