import { createClient as createConnectClient } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { disconnectOf } from "../../src/index.js";
import { toConnectError } from "../../src/server/index.js";
import { collect } from "../in-memory.js";
import { startChatServer } from "./chat-server.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { h2, settledMs } from "./endings/ending.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { startRelay } from "./relay.js";
import type { End } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { over, sessionAt, sessionAtServer, twoThenSilence } from "./session-at.js";

// A server's verdict ends the whole session: every stream, and all traffic.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(h2)("to %s, a ban", (name) => {
  test.each(["at the door", "mid-stream"])("%s costs one connection, and nothing after it", async (where) => {
    const banned = toConnectError({ reason: "banned", until: new Date("2031-01-01"), message: "Cheating" });
    const { server, session, chat, lines } = await sessionAtServer(own, clients[name], {
      async *subscribe() {
        if (where === "mid-stream") yield { id: 1 };
        throw banned;
      },
      say: () => ({ id: 1 }),
    });
    const ends = await Promise.all([1, 2, 3].map(() => collect(chat.subscribe({})).end));
    expect(new Set(ends).size).toBe(1);
    expect(disconnectOf(ends[0])).toMatchObject({
      reason: "banned",
      until: new Date("2031-01-01"),
      message: "Cheating",
    });
    const requests = server.requests();
    expect(requests).toBeLessThanOrEqual(3);
    for (let again = 0; again < 10; again++) {
      expect(await collect(chat.subscribe({})).end).toBe(ends[0]);
      await expect(chat.say({})).rejects.toBe(ends[0]);
    }
    expect(lines.filter((line) => line.startsWith("banned"))).toEqual(["banned: Cheating"]);
    expect(lines.filter((line) => line.startsWith("ended"))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith("reconnecting"))).toEqual([]);
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    await createConnectClient(ChatService, linkTo(server.url, clients[name]).transport).say({}); // one more, to be counted
    expect(server.requests()).toBe(requests + 1);
    expect(server.connections()).toBe(2);
    session.restart();
    expect(await chat.say({})).toMatchObject({ id: 1 });
    expect(server.connections()).toBe(2);
  });

  test("ends an outage: of many streams one probes, and none comes back", async () => {
    let bans = false;
    const server = own(
      await startChatServer("2", {
        async *subscribe(_, { signal }) {
          if (bans) throw toConnectError({ reason: "banned" });
          yield { id: 1 };
          await over(signal);
        },
      }),
    );
    const relay = own(await startRelay(server.url));
    const { session, chat, lines } = sessionAt(linkTo(relay.url, clients[name]));
    own(session);
    const streams = Array.from({ length: 20 }, () => collect(chat.subscribe({})));
    await vi.waitFor(() => expect(streams.every(({ messages }) => messages.length === 1)).toBe(true), patience);
    bans = true;
    relay.cut("fin");
    const ends = await Promise.all(streams.map(({ end }) => end));
    expect(new Set(ends).size).toBe(1);
    expect(disconnectOf(ends[0])?.reason).toBe("banned");
    expect(server.requests()).toBe(21);
    expect(relay.connections()).toBe(2);
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(20);
    expect(lines.filter((line) => line.startsWith("reconnect"))).toEqual(["reconnecting: #1 in 1 ms"]);
  });
});

describe.each(names)("to %s,", (name) => {
  const client = clients[name];

  test.each<[string, End]>([
    ["FIN", { kind: "fin" }],
    ["TCP RST", { kind: "tcp-rst" }],
    ["a clean end", { kind: "clean-end" }],
    ["a status that says nothing", { kind: "status", code: 13, message: "" }],
  ])("a notice in the stream explains %s that follows it", async (_, end) => {
    const script = { at: "mid-stream", pauseMs: settledMs, end } as const;
    const server = own(await startScriptedServer({ ...client, script }));
    const { session, chat, lines } = sessionAt(linkTo(server.url, client));
    own(session);
    const error = await (async () => {
      for await (const { text } of chat.subscribe({})) session.notice({ reason: "kicked", message: text, code: "afk" });
    })().catch((error: unknown) => error);
    expect(disconnectOf(error)).toMatchObject({
      reason: "kicked",
      message: "message 1",
      code: "afk",
      source: "notice",
    });
    expect(lines.slice(-3)).toEqual(["kicked: message 1", "ended: kicked: message 1", "streamEnded: 1 stopped"]);
    expect(server.requests()).toBe(1);
  });

  test("a verdict on a unary call ends the streams, too", async () => {
    const { server, chat } = await sessionAtServer(own, client, {
      subscribe: twoThenSilence,
      say: () => {
        throw toConnectError({ reason: "superseded", by: "phone", message: "Signed in elsewhere" });
      },
    });
    const { messages, end } = collect(chat.subscribe({}));
    await vi.waitFor(() => expect(messages).toHaveLength(2), patience);
    const error = await chat.say({}).catch((error: unknown) => error);
    expect(await end).toBe(error);
    expect(disconnectOf(error)).toMatchObject({ reason: "superseded", by: "phone", message: "Signed in elsewhere" });
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });
});
