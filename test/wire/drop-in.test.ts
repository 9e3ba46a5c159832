import {
  Code,
  ConnectError,
  createCallbackClient,
  createClient as createConnectClient,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient } from "../../src/index.js";
import { collect } from "../in-memory.js";
import { type ClientName, clients } from "./clients.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { sessionAtServer, twoThenSilence } from "./session-at.js";

// Code that was written for Connect gets from a session what it gets from a transport.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(names)("to %s,", (name) => {
  const client = clients[name];

  describe.each(["ours", "Connect's"] as const)("through the client of promises that is %s,", (whose) => {
    async function clientOf() {
      const started = await sessionAtServer(own, client, echo);
      return {
        ...started,
        chat:
          whose === "ours"
            ? createClient(ChatService, started.session)
            : createConnectClient(ChatService, started.session),
      };
    }

    test("a unary call answers, and throws, as without a session", async () => {
      const { chat, link } = await clientOf();
      const plain = createConnectClient(ChatService, link.transport);
      expect(await chat.say({ text: "four" })).toEqual(await plain.say({ text: "four" }));
      const error = await chat.say({ text: "" }).catch(told);
      expect(error).toEqual(await plain.say({ text: "" }).catch(told));
      expect(error).toMatchObject({ code: Code.InvalidArgument, text: "say something", hint: "text" });
    });

    test("a server stream answers, and throws, as without a session", async () => {
      const { chat, link } = await clientOf();
      const plain = createConnectClient(ChatService, link.transport);
      for (const room of ["lobby", "nowhere"]) {
        const [expected, actual] = [plain, chat].map((each) => collect(each.subscribe({ room })));
        expect(told(await actual?.end)).toEqual(told(await expected?.end));
        expect(actual?.messages).toEqual(expected?.messages);
        expect(actual?.messages).toHaveLength(room === "lobby" ? 3 : 1);
      }
    });

    if (client.library === "connect-node") {
      test("a client stream answers, and throws, as without a session", async () => {
        const { chat, link } = await clientOf();
        const plain = createConnectClient(ChatService, link.transport);
        expect(await chat.upload(texts("a", "b", "c"))).toEqual(await plain.upload(texts("a", "b", "c")));
        const error = await chat.upload(texts()).catch(told);
        expect(error).toEqual(await plain.upload(texts()).catch(told));
        expect(error).toMatchObject({ code: Code.InvalidArgument, text: "upload something" });
      });
    }

    if (client.httpVersion === "2") {
      test("a bidi stream talks, half closes and hears the rest, as without a session", async () => {
        const { chat, link } = await clientOf();
        const talk = async (talker: { talk: typeof chat.talk }) => {
          const heard: string[] = [];
          let answered = () => {};
          async function* say() {
            for (const text of ["a", "b", "c"]) {
              const answer = new Promise<void>((resolve) => (answered = resolve));
              yield { room: "lobby", text };
              await answer; // both ways at once
            }
          }
          for await (const { text } of talker.talk(say())) {
            heard.push(text);
            answered();
          }
          return heard;
        };
        expect(await talk(chat)).toEqual(["a", "b", "c", "bye"]);
        expect(await talk(createConnectClient(ChatService, link.transport))).toEqual(["a", "b", "c", "bye"]);
      });
    }
  });

  test.each<[string, () => unknown]>([
    ["no reason", () => undefined],
    ["an error", () => new Error("enough")],
    ["an error of Connect", () => new ConnectError("enough", Code.ResourceExhausted)],
    ["a time-out", () => new DOMException("too long", "TimeoutError")],
  ])("an abort with %s throws what it throws without a session", async (_, reason) => {
    const { session, link, server } = await sessionAtServer(own, client, {
      subscribe: twoThenSilence,
      say: (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)),
    });
    const thrown = async (transport: Transport, kind: string, when: string) => {
      const canceled = new AbortController();
      const { signal } = canceled;
      const cancel = () => canceled.abort(reason());
      if (when === "before") cancel();
      const chat = createConnectClient(ChatService, transport);
      const requests = server.requests();
      try {
        if (kind === "unary") {
          const answer = chat.say({}, { signal });
          if (when === "meanwhile")
            await vi.waitFor(() => expect(server.requests()).toBeGreaterThan(requests), patience);
          cancel();
          await answer;
        } else for await (const { id } of chat.subscribe({}, { signal })) if (id === 2) cancel();
        return "nothing";
      } catch (error) {
        return { ...told(error), cause: String((error as Error).cause) };
      }
    };
    for (const kind of ["unary", "stream"]) {
      for (const when of ["before", "meanwhile"]) {
        const plain = await thrown(link.transport, kind, when);
        expect(await thrown(session, kind, when), `${kind} ${when}`).toEqual(plain);
        expect(plain).toHaveProperty("code");
      }
    }
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });

  test("the client of callbacks works, and its cancel ends the call", async () => {
    const { session, server } = await sessionAtServer(own, client, { ...echo, subscribe: twoThenSilence });
    const chat = createCallbackClient(ChatService, session);
    expect(await new Promise((resolve) => chat.say({ text: "four" }, (error, { id }) => resolve([error, id])))).toEqual(
      [undefined, 4],
    );
    const ids: number[] = [];
    let closed: unknown = "not yet";
    const cancel = chat.subscribe(
      {},
      ({ id }) => ids.push(id),
      (error) => (closed = error),
    );
    await vi.waitFor(() => expect(ids).toEqual([1, 2]), patience);
    cancel();
    await vi.waitFor(() => expect(closed).toBeUndefined(), patience);
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });
});

/** Every kind of method, with something to compare. */
const echo: Partial<ServiceImpl<typeof ChatService>> = {
  say: ({ text }) => {
    if (text === "") throw new ConnectError("say something", Code.InvalidArgument, { "x-hint": "text" });
    return { id: text.length };
  },
  async *subscribe({ room }) {
    yield { id: 1, text: room };
    if (room === "nowhere") throw new ConnectError("no such room", Code.NotFound);
    yield { id: 2, text: room };
    yield { id: 3, text: room };
  },
  upload: async (requests) => {
    let count = 0;
    for await (const _ of requests) count++;
    if (count === 0) throw new ConnectError("upload something", Code.InvalidArgument);
    return { count };
  },
  async *talk(requests) {
    for await (const { text } of requests) yield { text };
    yield { text: "bye" };
  },
};

function told(error: unknown) {
  if (!(error instanceof ConnectError)) return { error };
  const { code, rawMessage, details, metadata } = error;
  return { code, text: rawMessage, details, hint: metadata.get("x-hint") };
}

async function* texts(...all: string[]) {
  for (const text of all) yield { text };
}
