import { createClient } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { collect } from "../in-memory.js";
import { startChatServer } from "./chat-server.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { ourLinkTo } from "./our-links.js";
import { startRelay } from "./relay.js";
import { over, sessionAt } from "./session-at.js";

const own = leaveNothing();

const methods = {
  say: async () => ({ id: 1 }),
  async *subscribe({ afterId }: { readonly afterId: number }, { signal }: { readonly signal: AbortSignal }) {
    yield { id: afterId + 1 };
    await over(signal);
  },
};

test("the state tells what is under way, and a connection is used again, and closed before the server does it", async () => {
  const server = own(await startChatServer("1.1", methods));
  const { transport } = own(ourLinkTo(server.url, "h1 connect"));
  const { state, count } = transport.connection;
  const chat = createClient(ChatService, transport);
  expect([state(), count()]).toEqual(["closed", 0]);
  const said = chat.say({});
  await vi.waitFor(() => expect(state()).not.toBe("closed"), { ...patience, interval: 0 });
  await said;
  await vi.waitFor(() => expect([state(), count()]).toEqual(["idle", 1]), patience);
  await chat.say({});
  expect(server.connections()).toBe(1);
  await vi.waitFor(() => expect([state(), count()]).toEqual(["closed", 0]), patience);
  await chat.say({});
  expect(server.connections()).toBe(2);
});

describe.each(["h1 connect", "h1 grpc-web"] as const)("over %s,", (name) => {
  test("a stream goes on after its connection is cut, and after close() nothing does", async () => {
    const server = own(await startChatServer("1.1", methods));
    const relay = own(await startRelay(server.url));
    const link = own(ourLinkTo(relay.url, name));
    const { session, chat, lines } = sessionAt(link);
    own(session);
    const { messages, end } = collect(chat.subscribe({}));
    await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
    expect(link.connection()).toBe("open");
    relay.cut("tcp-rst");
    await vi.waitFor(() => expect(messages).toHaveLength(2), patience);
    expect(lines).toContain("streamLost: 1 network");
    link.transport.close();
    expect(await end).toMatchObject({ rawMessage: "the transport is closed" });
  });
});
