import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService, type TalkRequest } from "../../examples/gen/chat/v1/chat_pb.js";
import { method } from "../../src/index.js";
import { startChatServer } from "./chat-server.js";
import { clients, linkTo } from "./clients.js";
import { h2 } from "./endings/ending.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { startRelay } from "./relay.js";
import { over, read, sessionAt } from "./session-at.js";

// A bidi stream across losses: what the server sees of the caller's input.

const own = leaveNothing();

describe.each(h2)("to %s, a talk", (name) => {
  async function start({ lingers = false } = {}) {
    const talks: string[][] = []; // of each stream, what the server got
    const server = own(
      await startChatServer("2", {
        async *talk(requests, { signal }) {
          const heard: string[] = [];
          talks.push(heard);
          let id = 0;
          for await (const { room, text, afterId } of requests) {
            if (room !== "") id = afterId;
            heard.push(room === "" ? text : `${room} after ${afterId}`);
            yield { id: ++id, text };
          }
          heard.push("half closed");
          if (lingers) await over(signal);
          yield { id: ++id, text: "bye" };
        },
      }),
    );
    const relay = own(await startRelay(server.url));
    const session = sessionAt(linkTo(relay.url, clients[name]), { methods: [resumable] });
    own(session.session);
    const lost = new Promise<void>((resolve) => session.session.on("streamLost", () => resolve()));
    const { input, ...speaker } = microphone();
    const messages = session.chat.talk(input)[Symbol.asyncIterator]();
    return { server, relay, talks, messages, lost, ...speaker, ...session };
  }

  test.each(["fin", "tcp-rst"] as const)(
    "that is cut by %s opens anew with its preamble, and goes on live",
    async (how) => {
      const { relay, talks, messages, say, hangUp, lines, server } = await start();
      say({ room: "lobby" });
      say({ text: "one" });
      expect(await read(2, messages)).toEqual({ ids: [1, 2] });
      relay.cut(how);
      const next = read(1, messages);
      await vi.waitFor(() => expect(talks).toHaveLength(2), patience);
      expect(await next).toEqual({ ids: [3] }); // the answer to the preamble
      say({ text: "two" });
      say({ text: "three" });
      hangUp();
      expect(await read(9, messages)).toEqual({ ids: [4, 5, 6] });
      expect(talks).toEqual([
        ["lobby after 0", "one"],
        ["lobby after 2", "two", "three", "half closed"],
      ]);
      expect(lines.at(-1)).toBe("streamEnded: 1 complete");
      expect(lines).toContain("reconnected: after 1, gap resumed");
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    },
  );

  test.each(["fin", "tcp-rst"] as const)(
    "that is cut by %s sends what was said meanwhile once, after the preamble",
    async (how) => {
      const { relay, talks, messages, say, lost, session, events, server } = await start();
      say({ room: "lobby" });
      expect(await read(1, messages)).toEqual({ ids: [1] });
      relay.bar();
      relay.cut(how);
      const next = read(3, messages);
      await lost;
      say({ text: "during" });
      say({ text: "the outage" });
      const attempts = () => events.filter(([type]) => type === "reconnecting").length;
      await vi.waitFor(() => expect(attempts()).toBeGreaterThan(3), patience); // some attempts are refused
      await relay.open();
      expect(await next).toEqual({ ids: [2, 3, 4] });
      say({ text: "after" });
      await vi.waitFor(
        () => expect(talks).toEqual([["lobby after 0"], ["lobby after 1", "during", "the outage", "after"]]),
        patience,
      );
      session.close();
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    },
  );

  test("that was half closed before it was cut is half closed again", async () => {
    const { relay, talks, messages, say, hangUp, session } = await start({ lingers: true });
    say({ room: "lobby" });
    hangUp();
    await read(1, messages);
    await vi.waitFor(() => expect(talks).toEqual([["lobby after 0", "half closed"]]), patience);
    relay.cut("fin");
    await read(1, messages);
    await vi.waitFor(() => expect(talks[1]).toEqual(["lobby after 1", "half closed"]), patience);
    session.close();
  });

  test("tells the caller's input that it has ended, once and not before", async () => {
    const { relay, messages, say, session, told } = await start();
    say({ room: "lobby" });
    await read(1, messages);
    relay.cut("fin");
    await read(1, messages);
    expect(told).toEqual([]);
    session.close();
    say({}); // a generator hears of it when it is resumed
    await vi.waitFor(() => expect(told).toEqual(["left"]), patience);
  });

  test.each([
    ["an error", new Error("microphone broken")],
    ["an error that looks like a lost connection", Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })],
    ["an error of another call", new ConnectError("down", Code.Unavailable)],
  ])("whose input throws %s ends with it, as without a session", async (_, defect) => {
    const { messages, say, fail, lost, lines, talks } = await start();
    say({ room: "lobby" });
    await read(1, messages);
    fail(defect);
    const lostForIt = lost.then(() => ({ error: new Error("taken for a lost stream") }));
    const { error } = await Promise.race([read(9, messages), lostForIt]);
    expect([error, (error as Error).cause]).toContain(defect);
    expect(lines.at(-1)).toBe("streamEnded: 1 failed");
    expect(talks).toHaveLength(1);
  });
});

const resumable = method(ChatService.method.talk, {
  resume: ({ room }, last) => [{ room, afterId: last?.id ?? 0 }],
});

type Said = Partial<Pick<TalkRequest, "room" | "text">>;

/** An input that a test speaks into. */
function microphone() {
  const said: (() => Said)[] = [];
  const told: string[] = []; // what the input was told, apart from being read
  let over = false;
  let wake = () => {};
  async function* input() {
    try {
      for (;;) {
        const next = said.shift();
        if (next) yield next();
        else if (over) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      if (!over) told.push("left");
    }
  }
  const speak = (next: () => Said) => {
    said.push(next);
    wake();
  };
  return {
    input: input(),
    told,
    say: (next: Said) => speak(() => next),
    fail: (error: unknown) =>
      speak(() => {
        throw error;
      }),
    hangUp: () => {
      over = true;
      wake();
    },
  };
}
