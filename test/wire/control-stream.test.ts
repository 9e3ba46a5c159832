import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { controlStream } from "../../src/control-stream/index.js";
import { disconnectOf } from "../../src/index.js";
import { ControlStreamService, controlStreamService, createBouncer } from "../../src/server/index.js";
import { createFakeClock } from "../../src/testing/index.js";
import { collect } from "../in-memory.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { clock, leaveNothing, patience } from "./leave-nothing.js";
import type { HttpVersion } from "./script.js";
import { sessionAt, sessionAtServer, twoThenSilence } from "./session-at.js";

// A session with a control stream, over real sockets.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

/** A chat server with a bouncer and a control stream, and what reached it. */
async function startAttendedServer(httpVersion: HttpVersion) {
  const calls: string[] = [];
  const bouncer = createBouncer({
    identify: ({ method }) => {
      calls.push(method.slice(method.indexOf("/") + 1));
      return { user: "u1" };
    },
    clock,
  });
  const answer = connectNodeAdapter({
    interceptors: [bouncer.interceptor],
    contextValues: bouncer.contextValues,
    routes: (router) => {
      router.service(ChatService, { subscribe: twoThenSilence, say: () => ({ id: 1 }) });
      router.service(ControlStreamService, controlStreamService(bouncer));
    },
  });
  const server = httpVersion === "2" ? createHttp2Server(answer) : createServer(answer);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return own({ url, bouncer, calls, close });
}

describe.each(names)("to %s", (name) => {
  const client = clients[name];

  test.each(["tell", "abort"] as const)("a kick by %s is understood, and nothing comes after it", async (mode) => {
    const { url, bouncer, calls } = await startAttendedServer(client.httpVersion);
    // The session's time stands still: it waits for the welcome, and does not come back before the words about an abort,
    // which over several connections it may overtake.
    const { session, chat, lines } = sessionAt(linkTo(url, client), {
      extensions: [controlStream()],
      clock: createFakeClock(),
    });
    own(session);
    const streams = [collect(chat.subscribe({})), collect(chat.subscribe({}))];
    await vi.waitFor(() => expect(streams.every(({ messages }) => messages.length === 2)).toBe(true), patience);
    expect(calls).toEqual(["Open", "Subscribe", "Subscribe"]);
    const report = await bouncer.kick({ user: "u1" }, { code: "afk", message: "Idle" }, { mode, details: true });
    for (const { end } of streams) {
      expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", code: "afk", message: "Idle", said: true });
    }
    expect(lines.filter((line) => line.startsWith("ended"))).toEqual(["ended: kicked: Idle"]);
    const outcomes = report.streams?.map(({ stream, outcome }) => [stream.method.split("/")[1], outcome]);
    const streamsEnd = mode === "tell" ? "told" : "forced";
    expect(outcomes).toEqual([
      ["Open", "told"], // even by abort: it is what explains
      ["Subscribe", streamsEnd],
      ["Subscribe", streamsEnd],
    ]);
    await expect(chat.say({})).rejects.toThrow("Idle");
    expect(calls).toHaveLength(3);
    await vi.waitFor(() => expect(bouncer.count()).toBe(0), patience);
  });

  test("a server without a control stream is asked once", async () => {
    const { server, chat, lines } = await sessionAtServer(
      own,
      client,
      { subscribe: twoThenSilence, say: () => ({ id: 1 }) },
      { extensions: [controlStream()], clock: createFakeClock() },
    );
    const streams = [collect(chat.subscribe({})), collect(chat.subscribe({}))];
    await vi.waitFor(() => expect(streams.every(({ messages }) => messages.length === 2)).toBe(true), patience);
    await chat.say({});
    expect(server.requests()).toBe(4);
    expect(lines).toEqual(["connected", "streamOpened: 1", "streamOpened: 2"]);
  });
});
