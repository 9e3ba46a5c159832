import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Code } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { method } from "../../src/index.js";
import { createFakeClock } from "../../src/testing/index.js";
import { collect } from "../in-memory.js";
import { startChatServer } from "./chat-server.js";
import { clients, fetchThatAborts } from "./clients.js";
import { connectWeb } from "./endings/ending.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { read, sessionAt, twoThenSilence } from "./session-at.js";

// An abort can be lost on its way into Node's fetch (nodejs/undici#4627). Nobody may wait for it.

const own = leaveNothing();
const watched = method(ChatService.method.subscribe, { idleTimeoutMs: 50_000 });

describe.each(connectWeb)("to %s,", (name) => {
  async function start(fetch: typeof globalThis.fetch, options = {}) {
    const server = own(
      await startChatServer("1.1", { subscribe: twoThenSilence, say: () => new Promise<never>(() => {}) }),
    );
    const create = clients[name].protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
    const transport = create({ baseUrl: server.url, useBinaryFormat: true, fetch });
    const told = sessionAt({ transport, connection: () => undefined }, options);
    own(told.session);
    return { server, ...told };
  }

  describe("where aborts are lost,", () => {
    const deaf = ((input, { signal: _, ...init } = {}) => fetch(input, init)) as typeof fetch;

    test("close ends streams and calls at once", async () => {
      const { session, chat, lines } = await start(deaf);
      const messages = chat.subscribe({})[Symbol.asyncIterator]();
      expect(await read(2, messages)).toEqual({ ids: [1, 2] });
      const unary = chat.say({}).catch((error: unknown) => error);
      const waiting = read(9, messages);
      session.close();
      expect(await unary).toMatchObject({ code: Code.Canceled });
      expect(await waiting).toMatchObject({ ids: [], error: { code: Code.Canceled } });
      expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual(["streamEnded: 1 canceled"]);
    });

    test("an abort ends a stream at once", async () => {
      const { chat, lines } = await start(deaf);
      const canceled = new AbortController();
      const messages = chat.subscribe({}, { signal: canceled.signal })[Symbol.asyncIterator]();
      expect(await read(2, messages)).toEqual({ ids: [1, 2] });
      const waiting = read(9, messages);
      canceled.abort();
      expect(await waiting).toMatchObject({ ids: [], error: { code: Code.Canceled } });
      expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
    });

    test("an abort ends a unary call at once", async () => {
      const { chat, server } = await start(deaf);
      const canceled = new AbortController();
      const unary = chat.say({}, { signal: canceled.signal }).catch((error: unknown) => error);
      await vi.waitFor(() => expect(server.open()).toBe(1), patience);
      canceled.abort();
      expect(await unary).toMatchObject({ code: Code.Canceled });
    });

    test("break ends a stream at once", async () => {
      const { chat, lines } = await start(deaf);
      for await (const { id } of chat.subscribe({})) if (id === 2) break;
      expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
    });

    test("the watchdog and timeoutMs end what they have to end", async () => {
      const clock = createFakeClock();
      const { chat, server, lines } = await start(deaf, { methods: [watched], clock });
      const { messages, end } = collect(chat.subscribe({}, { timeoutMs: 250_000 }));
      await vi.waitFor(() => expect(messages).toHaveLength(2), patience);
      await clock.advance(50_000 + 1); // and the wait before the next attempt
      expect(lines).toContain("network: no message for 50000 ms");
      await vi.waitFor(() => expect(server.requests()).toBe(2), patience);
      await clock.advance(250_000);
      expect(await end).toMatchObject({ code: Code.DeadlineExceeded });
    });
  });

  test.each([
    ["Node's own fetch", fetch],
    ["a fetch that keeps its aborts", fetchThatAborts],
  ])("after a garbage collection, close ends every stream at once with %s", async (_, fetch) => {
    const { session, chat, server } = await start(fetch);
    const streams = Array.from({ length: 20 }, () => collect(chat.subscribe({})));
    await vi.waitFor(() => expect(streams.every(({ messages }) => messages.length === 2)).toBe(true), patience);
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      collectGarbage();
    }
    session.close();
    for (const { end } of streams) expect(await end).toMatchObject({ code: Code.Canceled });
    // With Node's own, the calls are still open at the server here, and the session cannot help it.
    if (fetch === fetchThatAborts) await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
