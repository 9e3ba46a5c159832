import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { retried } from "../../src/index.js";
import { collect } from "../in-memory.js";
import { startChatServer } from "./chat-server.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { startRelay } from "./relay.js";
import { over, sessionAt, twoThenSilence } from "./session-at.js";

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(names)("to %s,", (name) => {
  const { httpVersion } = clients[name];

  test.each(["fin", "tcp-rst"] as const)(
    "a retried call that is cut by %s is made again with the streams",
    async (how) => {
      const texts: string[] = [];
      const server = own(
        await startChatServer(httpVersion, {
          subscribe: twoThenSilence,
          async say({ text }, { signal }) {
            if (texts.push(text) === 1) await over(signal); // until it is cut
            return { id: texts.length };
          },
        }),
      );
      const relay = own(await startRelay(server.url));
      const { session, chat, lines } = sessionAt(linkTo(relay.url, clients[name]), {
        methods: [retried(ChatService.method.say)],
      });
      own(session);
      const { messages } = collect(chat.subscribe({}));
      const answer = chat.say({ text: "hello" });
      await vi.waitFor(() => expect([messages.length, texts.length]).toEqual([2, 1]), patience);
      relay.bar();
      relay.cut(how);
      await vi.waitFor(() => expect(lines.join()).toContain("reconnecting: #3"), patience);
      const waiting = chat.say({ text: "hello again" });
      await relay.open();
      expect((await answer).id + (await waiting).id).toBe(2 + 3);
      expect(texts.toSorted()).toEqual(["hello", "hello", "hello again"]);
      await vi.waitFor(() => expect(messages).toHaveLength(4), patience);
      expect(lines.filter((line) => line.startsWith("disconnected"))).toEqual(["disconnected: network"]);
      session.close();
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    },
  );
});
