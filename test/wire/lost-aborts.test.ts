import { Code } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { method } from "../../src/index.js";
import { collect } from "../in-memory.js";
import { startChatServer } from "./chat-server.js";
import { clients } from "./clients.js";
import { connectWeb } from "./endings/ending.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { read, sessionAt, twoThenSilence } from "./session-at.js";

// An abort can be lost on its way into Node's fetch (nodejs/undici#4627); here each one is.

const own = leaveNothing();
const watched = method(ChatService.method.subscribe, { silenceMs: 50 });

describe.each(connectWeb)("to %s, where aborts are lost,", (name) => {
  async function start() {
    const server = own(
      await startChatServer("1.1", {
        subscribe: twoThenSilence,
        say: () => new Promise<never>(() => {}),
      }),
    );
    const { protocol } = clients[name];
    const deaf = (input: RequestInfo | URL, { signal: _, ...init }: RequestInit = {}) => fetch(input, init);
    const create = protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
    const transport = create({ baseUrl: server.url, useBinaryFormat: true, fetch: deaf as typeof fetch });
    const told = sessionAt({ transport, connection: () => undefined }, { methods: [watched] });
    own(told.session);
    return { server, ...told };
  }

  test("close ends streams and calls at once", async () => {
    const { session, chat, lines } = await start();
    const messages = chat.subscribe({})[Symbol.asyncIterator]();
    await messages.next();
    const unary = chat.say({}).catch((error: unknown) => error);
    const waiting = read(9, messages);
    session.close();
    expect(await unary).toMatchObject({ code: Code.Canceled });
    expect(await waiting).toMatchObject({ ids: [], error: { code: Code.Canceled } });
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual(["streamEnded: 1 canceled"]);
  });

  test("an abort ends a stream at once", async () => {
    const { chat, lines } = await start();
    const canceled = new AbortController();
    const messages = chat.subscribe({}, { signal: canceled.signal })[Symbol.asyncIterator]();
    expect(await read(2, messages)).toEqual({ ids: [1, 2] });
    const waiting = read(9, messages);
    canceled.abort();
    expect(await waiting).toMatchObject({ ids: [], error: { code: Code.Canceled } });
    expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
  });

  test("an abort ends a unary call at once", async () => {
    const { chat, server } = await start();
    const canceled = new AbortController();
    const unary = chat.say({}, { signal: canceled.signal }).catch((error: unknown) => error);
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
    canceled.abort();
    expect(await unary).toMatchObject({ code: Code.Canceled });
  });

  test("break ends a stream at once", async () => {
    const { chat, lines } = await start();
    for await (const { id } of chat.subscribe({})) if (id === 2) break;
    expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
  });

  test("the watchdog and timeoutMs end what they have to end", async () => {
    const { chat, server, lines, session } = await start();
    const error = await collect(chat.subscribe({}, { timeoutMs: 250 })).end;
    expect(error).toMatchObject({ code: Code.DeadlineExceeded });
    expect(lines).toContain("network: no message for 50 ms");
    expect(server.requests()).toBeGreaterThan(1);
    session.close();
  });
});
