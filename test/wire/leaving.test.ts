import { Code, ConnectError, createClient as createConnectClient } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { collect } from "../in-memory.js";
import { type ClientName, clients } from "./clients.js";
import { sinceConnect23 } from "./connect-version.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { over, read, sessionAtServer, twoThenSilence } from "./session-at.js";

// Who leaves leaves nothing behind at the server.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(names)("to %s, leaving a stream", (name) => {
  const client = clients[name];

  test.each(["break", "return", "throw", "abort"])("by %s cancels the call", async (how) => {
    const { server, chat, lines } = await sessionAtServer(own, client, { subscribe: twoThenSilence });
    const canceled = new AbortController();
    const stream = chat.subscribe({}, { signal: canceled.signal });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    expect(server.open()).toBe(1);
    if (how === "break") for await (const _ of stream) break;
    if (how === "return") expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    if (how === "throw") await expect(iterator.throw?.(new Error("mine"))).rejects.toThrow("mine");
    if (how === "abort") {
      canceled.abort();
      expect((await read(9, iterator)).error).toMatchObject({ code: Code.Canceled });
    }
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test("by break leaves the call open with Connect's own client before 2.3, until the session closes", async () => {
    const { server, session, link } = await sessionAtServer(own, client, {
      subscribe: twoThenSilence,
      say: () => ({ id: 1 }),
    });
    const plain = new AbortController();
    const loops = [
      createConnectClient(ChatService, link.transport).subscribe({}, { signal: plain.signal }),
      createConnectClient(ChatService, session).subscribe({}),
    ];
    for (const loop of loops) for await (const _ of loop) break;
    await createConnectClient(ChatService, link.transport).say({}); // a cancellation would have arrived before it
    // Once the unary call is over. Since 2.3 Connect's client tells the messages that nobody reads on, also a session's.
    await vi.waitFor(() => expect(server.open()).toBe(sinceConnect23 ? 0 : 2), patience);
    plain.abort();
    session.close();
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });

  test("during an outage ends the attempts", async () => {
    const { server, chat, session } = await sessionAtServer(own, client, { subscribe: unavailable });
    const lost = new Promise((resolve) => session.on("reconnecting", ({ attempt }) => attempt === 3 && resolve(true)));
    const canceled = new AbortController();
    const { end } = collect(chat.subscribe({}, { signal: canceled.signal }));
    await lost;
    canceled.abort();
    expect(await end).toMatchObject({ code: Code.Canceled });
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    const requests = server.requests();
    await createConnectClient(ChatService, session)
      .say({})
      .catch(() => {});
    expect(server.requests()).toBe(requests + 1);
  });
});

describe.each(names)("to %s,", (name) => {
  const client = clients[name];

  test.each([
    "at once",
    "a microtask later",
    "a tick later",
    "once the server has the call",
    "with the first message",
    "after the first message",
  ])("close %s leaves no call, and nobody waiting", async (when) => {
    for (const kind of ["stream", "unary"] as const) {
      const { server, session, chat, lines } = await sessionAtServer(own, client, {
        async *subscribe(_, { signal }) {
          if (when !== "once the server has the call") yield { id: 1 };
          await over(signal);
        },
        say: (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)),
      });
      const messages = chat.subscribe({})[Symbol.asyncIterator]();
      const answer = (kind === "stream" ? messages.next() : chat.say({})).catch(codeOf);
      if (when === "a microtask later") await Promise.resolve();
      if (when === "a tick later") await turn();
      if (when.startsWith("once")) await vi.waitFor(() => expect(server.requests()).toBeGreaterThan(0), patience);
      if (when.endsWith("first message") && kind === "stream") await answer;
      if (when.startsWith("after")) await turn();
      session.close();
      if (!when.endsWith("first message") || kind === "unary") expect(await answer).toBe(Code.Canceled);
      else expect(await messages.next().catch(codeOf)).toBe(Code.Canceled);
      expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual(["streamEnded: 1 canceled"]);
      expect(await chat.say({}).catch(codeOf)).toBe(Code.Canceled);
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    }
  });
});

// biome-ignore lint/correctness/useYield: it ends before its first message
async function* unavailable() {
  throw new ConnectError("down", Code.Unavailable);
}

function codeOf(error: unknown): Code {
  return ConnectError.from(error).code;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
