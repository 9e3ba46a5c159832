import { type AddressInfo, createServer, type Socket } from "node:net";
import { Code, createClient as createConnectClient } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService, type SubscribeRequest } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, method } from "../../src/index.js";
import { collect } from "../in-memory.js";
import { startChatServer } from "./chat-server.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { type OurName, ourLinkTo, ours, oursOverHttp2 } from "./our-links.js";
import { startRelay } from "./relay.js";
import { over, sessionAt } from "./session-at.js";

const own = leaveNothing();

/** Numbered messages, so that none can be lost or come twice unnoticed, and calls that are answered. */
function serve(name: OurName) {
  return startChatServer(ours[name].httpVersion, {
    async *subscribe({ afterId }: SubscribeRequest, { signal }) {
      for (let id = afterId + 1; id <= afterId + 3; id++) yield { id };
      await over(signal);
    },
    async say({ text }) {
      return { id: Number(text) };
    },
  });
}

const resumable = method(ChatService.method.subscribe, {
  resume: (request, last) => ({ ...request, afterId: last.id }),
  position: ({ id }) => id,
});

/** A session that has read the first three messages of a stream, on a path that can be cut. */
async function follow(name: OurName) {
  const server = own(await serve(name));
  const relay = own(await startRelay(server.url));
  const link = own(ourLinkTo(relay.url, name));
  const { session, chat, ...told } = sessionAt(link, { methods: [resumable] });
  own(session);
  const collected = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(collected.messages).toHaveLength(3), patience);
  return { ...told, ...collected, server, relay, link, chat };
}

describe.each(oursOverHttp2)("over %s,", (name) => {
  test("a path that swallows bytes and then closes, while a PING is out, costs no call: it goes out on a new connection", async () => {
    const server = own(await serve(name));
    const relay = own(await startRelay(server.url));
    const link = own(ourLinkTo(relay.url, name));
    const chat = createConnectClient(ChatService, link.transport);
    await chat.say({ text: "1" });
    await vi.waitFor(() => expect(link.connection()).toBe("idle"), patience);
    await link.clock.advance(60_000); // long enough to ask whether it is still there
    relay.swallow();
    const said = chat.say({ text: "2" });
    await vi.waitFor(() => expect(link.connection()).toBe("verifying"), patience);
    relay.cut("fin");
    expect(await said).toMatchObject({ id: 2 });
    expect([relay.connections(), link.transport.connection.count()]).toEqual([2, 1]);
  });

  test("a stream goes on after a path that swallows bytes and then closes, and loses nothing", async () => {
    const { messages, lines, link, relay, chat } = await follow(name);
    relay.swallow();
    await link.clock.advance(30_000); // a PING goes out, and gets lost
    relay.cut("fin");
    await vi.waitFor(() => expect(messages.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]), patience);
    expect(lines).toContain("streamLost: 1 network");
    expect(await chat.say({ text: "3" })).toMatchObject({ id: 3 });
  });

  test("a path that only swallows bytes is left after a PING without an answer", async () => {
    const { messages, lines, events, link, relay } = await follow(name);
    relay.swallow();
    await link.clock.advance(30_000);
    expect(lines).not.toContain("streamLost: 1 network");
    await link.clock.advance(15_000);
    await vi.waitFor(() => expect(messages.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]), patience);
    const told = events.find(([type]) => type === "streamLost")?.[1];
    expect(told).toMatchObject({
      disconnect: {
        reason: "network",
        said: false,
        message: "the connection was lost: no answer to a PING within 15000 ms",
        cause: { code: Code.Unavailable },
      },
    });
  });

  test("garbage in the midst of a connection is found, at the latest by a PING, and the stream goes on", async () => {
    const { messages, lines, link, relay } = await follow(name);
    relay.spoil();
    while (!lines.some((line) => line.startsWith("streamLost"))) await link.clock.advance(1_000);
    await vi.waitFor(() => expect(messages.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]), patience);
  });

  test("a stream without headers is lost at once with its connection", async () => {
    const server = own(await startChatServer("2", { subscribe: silent }));
    const relay = own(await startRelay(server.url));
    const { session, lines, events } = sessionAt(own(ourLinkTo(relay.url, name)));
    own(session);
    collect(createClient(ChatService, session).subscribe({}));
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
    relay.cut("fin");
    await vi.waitFor(() => expect(lines).toContain("streamLost: 1 network"), patience);
    expect(events.find(([type]) => type === "streamLost")?.[1]).toMatchObject({
      disconnect: { message: "the connection was lost: it was closed" },
    });
    await vi.waitFor(() => expect(server.requests()).toBe(2), patience);
  });

  test("after GOAWAY a stream goes on where it is, and calls go out on a new connection", async () => {
    const server = own(await serve(name));
    const link = own(ourLinkTo(server.url, name));
    const { session, lines } = sessionAt(link);
    own(session);
    const chat = createClient(ChatService, session);
    const { messages } = collect(chat.subscribe({}));
    await vi.waitFor(() => expect(messages).toHaveLength(3), patience);
    server.goaway();
    await vi.waitFor(async () => {
      await chat.say({ text: "1" });
      expect(server.connections()).toBe(2);
    }, patience);
    expect(link.transport.connection.count()).toBe(2);
    expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual([]);
  });

  test("a connection that is idle when GOAWAY comes is closed, and the next call makes a new one", async () => {
    const server = own(await serve(name));
    const link = own(ourLinkTo(server.url, name));
    const chat = createConnectClient(ChatService, link.transport);
    await chat.say({ text: "1" });
    server.goaway();
    await vi.waitFor(() => expect(link.connection()).toBe("closed"), patience);
    expect(await chat.say({ text: "2" })).toMatchObject({ id: 2 });
    expect(server.connections()).toBe(2);
  });

  test("a connection is closed after it was idle for a quarter of an hour", async () => {
    const server = own(await serve(name));
    const link = own(ourLinkTo(server.url, name));
    await createConnectClient(ChatService, link.transport).say({ text: "1" });
    await vi.waitFor(() => expect(link.connection()).toBe("idle"), patience);
    await link.clock.advance(899_000);
    expect(link.connection()).toBe("idle");
    await link.clock.advance(1_000);
    expect([link.connection(), link.transport.connection.count(), link.clock.sleepers]).toEqual(["closed", 0, 0]);
  });

  test("a call whose connection is never made fails when its time is up", async () => {
    const deaf = own(await startDeafServer());
    const link = own(ourLinkTo(deaf.url, name));
    const said = createConnectClient(ChatService, link.transport)
      .say({ text: "1" })
      .catch((error: unknown) => error);
    await vi.waitFor(() => expect(deaf.connections()).toBe(1), patience);
    expect(link.connection()).toBe("connecting");
    await link.clock.advance(20_000);
    expect(await said).toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringContaining("within 20000 ms"),
    });
    expect([link.connection(), link.transport.connection.error()]).toEqual(["error", await said]);
  });

  test("after close() calls under way and later ones fail, and no session sends them again", async () => {
    const { link, lines, end, chat } = await follow(name);
    link.transport.close();
    const closed = { code: Code.FailedPrecondition, rawMessage: "the transport is closed" };
    expect(await end).toMatchObject(closed);
    await expect(chat.say({ text: "1" })).rejects.toMatchObject(closed);
    expect(lines.filter((line) => line.startsWith("reconnecting"))).toEqual([]);
    expect([link.connection(), link.clock.sleepers]).toEqual(["closed", 0]);
  });
});

async function* silent(_: unknown, { signal }: { readonly signal: AbortSignal }) {
  await over(signal);
  yield { id: 0 };
}

/** It accepts connections, and says nothing. */
async function startDeafServer() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => sockets.length,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
