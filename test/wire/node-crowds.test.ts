import { constants } from "node:http2";
import { createClient as createConnectClient } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { disconnectOf } from "../../src/index.js";
import { startChatServer } from "./chat-server.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { ourLinkTo } from "./our-links.js";
import { over } from "./session-at.js";

// Many streams, over as many connections of farewell/node as the server asks for.

const own = leaveNothing();

const methods = {
  async *subscribe(_: unknown, { signal }: { readonly signal: AbortSignal }) {
    yield { id: 1 };
    await over(signal);
  },
  async say() {
    return { id: 1 };
  },
};

async function crowd(maxConcurrentStreams: number, count: number, options: { readonly maxConnections?: number } = {}) {
  const server = own(await startChatServer("2", methods, { maxConcurrentStreams }));
  const link = own(ourLinkTo(server.url, "h2 grpc", options));
  const chat = createConnectClient(ChatService, link.transport);
  let heard = 0;
  const leaving = Array.from({ length: count }, () => new AbortController());
  const streams = leaving.map(async ({ signal }) => {
    for await (const _ of chat.subscribe({}, { signal })) heard++;
  });
  const gone = Promise.allSettled(streams);
  const leave = () => {
    for (const one of leaving) one.abort();
    return gone;
  };
  own({ close: leave });
  return { server, link, chat, heard: () => heard, leave };
}

test("streams beyond what the server allows on a connection go out on further ones", async () => {
  const { server, link, heard } = await crowd(100, 250);
  await vi.waitFor(() => expect(heard()).toBe(250), patience);
  expect([server.connections(), link.transport.connection.count()]).toEqual([3, 3]);
});

test("connections that were opened because others were full are closed when they have been idle for ten seconds", async () => {
  const { link, chat, heard, leave } = await crowd(10, 25);
  await vi.waitFor(() => expect(heard()).toBe(25), patience);
  await leave();
  await vi.waitFor(() => expect(link.connection()).toBe("idle"), patience);
  const { count } = link.transport.connection;
  expect(count()).toBe(3);
  await link.clock.advance(10_000);
  expect(count()).toBe(1);
  expect(await chat.say({})).toMatchObject({ id: 1 });
  expect(count()).toBe(1);
});

test("there are no more connections than the app allows: what is beyond waits, and is served in its turn", async () => {
  const { server, chat, heard, leave } = await crowd(2, 4, { maxConnections: 2 });
  await vi.waitFor(() => expect(heard()).toBe(4), patience);
  const said = [chat.say({}), chat.say({})];
  await vi.waitFor(() => expect(server.connections()).toBe(2), patience);
  await leave();
  expect(await Promise.all(said)).toMatchObject([{ id: 1 }, { id: 1 }]);
  expect(server.connections()).toBe(2);
});

test("a server that allows no streams at all is not asked by more and more connections", async () => {
  const { server, link } = await crowd(0, 0);
  const chat = createConnectClient(ChatService, link.transport);
  const leaving = new AbortController();
  const said = chat.say({}, { signal: leaving.signal }).catch(() => "left");
  await vi.waitFor(() => expect(link.connection()).toBe("open"), patience);
  expect(server.connections()).toBe(1);
  leaving.abort();
  expect(await said).toBe("left");
});

test("a server that wants fewer PINGs gets them every five minutes at most", async () => {
  const { server, link, heard, chat } = await crowd(10, 1);
  await vi.waitFor(() => expect(heard()).toBe(1), patience);
  server.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
  await vi.waitFor(() => expect(link.connection()).toBe("error"), patience);
  await chat.say({});
  await vi.waitFor(() => expect(link.connection()).toBe("idle"), patience);
  await link.clock.advance(299_000);
  void chat.say({});
  await Promise.resolve();
  expect(link.connection()).not.toBe("verifying");
  await vi.waitFor(() => expect(link.connection()).toBe("idle"), patience);
  await link.clock.advance(300_001);
  const said = chat.say({});
  await vi.waitFor(() => expect(link.connection()).toBe("verifying"), { ...patience, interval: 0 });
  expect(await said).toMatchObject({ id: 1 });
});

test("what stands in line on a connection that is going fails at once, as network, and the next call finds a new one", async () => {
  const { server, chat, heard } = await crowd(1, 1, { maxConnections: 1 });
  await vi.waitFor(() => expect(heard()).toBe(1), patience);
  const said = chat.say({}).catch(disconnectOf);
  await new Promise(setImmediate); // by then it has been handed to Node
  server.goaway();
  expect(await said).toMatchObject({ reason: "network" });
  expect(await chat.say({})).toMatchObject({ id: 1 });
  expect(server.open()).toBe(1);
});
