import { describe, expect, test, vi } from "vitest";
import { ChatService, type Message } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, disconnectOf, method, type SessionOptions } from "../../src/index.js";
import { createFakeClock } from "../../src/testing/index.js";
import { collect } from "../in-memory.js";
import { someOf } from "../runs.js";
import { startChatServer } from "./chat-server.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { connectNode } from "./endings/ending.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { startRelay } from "./relay.js";
import { over, read, sessionAt } from "./session-at.js";
import { tap } from "./tap.js";

// Many streams, and a path that fails again and again.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(someOf(names))("to %s, twenty streams", (name) => {
  const { httpVersion } = clients[name];

  async function start(initialMs: number, options: SessionOptions = {}, count = 20) {
    const server = own(
      await startChatServer(httpVersion, {
        async *subscribe({ room, afterId }, { signal }) {
          for (let id = afterId + 1; !signal.aborted; id++) {
            yield { id, payload: room === "much" ? much : new Uint8Array() };
            await new Promise((resolve) => setTimeout(resolve, room === "much" ? 1 : 5));
          }
        },
      }),
    );
    const relay = own(await startRelay(server.url));
    const told = sessionAt(linkTo(relay.url, clients[name]), {
      ...options,
      methods: [resumable],
      policies: { network: { initialMs, maxMs: 50, jitter: "none" } },
    });
    own(told.session);
    const streams = Array.from({ length: count }, () => collect(told.chat.subscribe({})));
    const lines = (start: string) => told.lines.filter((line) => line.startsWith(start));
    return { server, relay, streams, session: told.session, lines };
  }

  test.each(["fin", "tcp-rst"] as const)("that are cut by %s are told of once, and all go on", async (how) => {
    const clock = createFakeClock();
    const { relay, streams, session, lines, server } = await start(50, { clock });
    await arrive(streams, 3);
    relay.cut(how);
    await vi.waitFor(() => expect(lines("streamLost")).toHaveLength(20), patience);
    await clock.advance(50);
    await vi.waitFor(() => expect(lines("streamReopened")).toHaveLength(20), patience);
    await arrive(streams, 3);
    expect(lines("streamLost")).toHaveLength(20);
    expect(lines("disconnected")).toEqual(["disconnected: network"]);
    expect(lines("reconnecting")).toEqual(["reconnecting: #1 in 50 ms"]);
    expect(lines("reconnected")).toEqual(["reconnected: after 1, gap resumed"]);
    session.close();
    expect(lines("streamEnded")).toHaveLength(20);
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });

  test("lose nothing and get nothing twice, however often they are cut", async () => {
    const { relay, streams, session, lines, server } = await start(1);
    for (let round = 0; round < 10; round++) {
      await arrive(streams, 1);
      relay.cut(round % 2 === 0 ? "fin" : "tcp-rst");
    }
    relay.bar();
    relay.cut("fin");
    const attempts = lines("reconnecting").length;
    await vi.waitFor(() => expect(lines("reconnecting").length).toBeGreaterThan(attempts + 3), patience);
    await relay.open();
    await arrive(streams, 1);
    expect(lines("ended")).toEqual([]);
    session.close();
    expect(lines("streamEnded")).toHaveLength(20);
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });

  test("that nobody sends anything come back, too", async () => {
    const waiting = new Set<() => void>();
    const server = own(
      await startChatServer(httpVersion, {
        async *subscribe(_, { signal }) {
          // Until the first message, connect-node does not even send headers.
          await Promise.race([over(signal), new Promise<void>((resolve) => waiting.add(resolve))]);
          if (!signal.aborted) yield { id: 1 };
        },
      }),
    );
    const relay = own(await startRelay(server.url));
    const { session, chat, lines } = sessionAt(linkTo(relay.url, clients[name]));
    own(session);
    const streams = Array.from({ length: 20 }, () => collect(chat.subscribe({})));
    await vi.waitFor(() => expect(server.open()).toBe(20), patience);
    relay.cut("fin");
    await vi.waitFor(() => expect(server.requests()).toBe(40), patience);
    await vi.waitFor(() => expect(server.open()).toBe(20), patience);
    for (const wake of waiting) wake();
    for (const { end } of streams) expect(await end).toBeUndefined();
    expect(streams.map(({ messages }) => messages.length)).toEqual(streams.map(() => 1));
    expect(lines.filter((line) => line.startsWith("disconnected"))).toEqual(["disconnected: network"]);
    expect(lines.filter((line) => line.endsWith("complete"))).toHaveLength(20);
  });

  test("or fewer, of which one is read slowly, lose nothing either", async () => {
    const { relay, session } = await start(1, {}, 3);
    const messages = createClient(ChatService, session).subscribe({ room: "much" })[Symbol.asyncIterator]();
    const ids: number[] = [];
    for (let round = 0; round < 10; round++) {
      ids.push(...(await read(3, messages)).ids);
      await new Promise((resolve) => setTimeout(resolve, 10)); // meanwhile the server sends as much as it may
      relay.cut(round % 2 === 0 ? "tcp-rst" : "fin");
    }
    expect(ids).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    session.close();
  });
});

describe.each(someOf(connectNode))("to %s,", (name) => {
  test("a call that is not reopened throws what Connect throws; the streams beside it go on", async () => {
    let uploads = 0;
    const server = own(
      await startChatServer(clients[name].httpVersion, {
        async *subscribe({ afterId }, { signal }) {
          yield { id: afterId + 1 };
          await over(signal);
        },
        upload: async (requests) => {
          uploads++;
          for await (const _ of requests);
          return {};
        },
      }),
    );
    const relay = own(await startRelay(server.url));
    const { transport, attempts } = tap(linkTo(relay.url, clients[name]).transport);
    const { session, chat, lines } = sessionAt({ transport, connection: () => undefined }, { methods: [resumable] });
    own(session);
    async function* endless() {
      yield { text: "one" };
      await new Promise(() => {});
    }
    const upload = chat.upload(endless()).catch((error: unknown) => error);
    await vi.waitFor(() => expect(uploads).toBe(1), patience);
    const messages = chat.subscribe({})[Symbol.asyncIterator]();
    expect(await read(1, messages)).toEqual({ ids: [1] });
    relay.cut("fin");
    expect(await read(1, messages)).toEqual({ ids: [2] });
    const error = await upload;
    expect(error).toBe(attempts[0]?.error);
    expect(disconnectOf(error)?.reason).toBe("network");
    expect(uploads).toBe(1);
    expect(session.state.status).not.toBe("ended");
    expect(lines.filter((line) => line.startsWith("disconnected"))).toEqual(["disconnected: network"]);
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual(["streamEnded: 1 stopped"]);
    session.close();
  });
});

const resumable = method(ChatService.method.subscribe, {
  endless: true,
  resume: (request, last) => ({ ...request, afterId: last.id }),
});

const much = new Uint8Array(20_000);

/** Waits for more messages on each stream, and looks whether all are there. */
async function arrive(streams: readonly { readonly messages: readonly Message[] }[], more: number): Promise<void> {
  const counts = streams.map(({ messages }) => messages.length + more);
  await vi.waitFor(
    () => expect(streams.every(({ messages }, i) => messages.length >= (counts[i] ?? 0))).toBe(true),
    patience,
  );
  for (const { messages } of streams)
    expect(messages.map(({ id }) => id)).toEqual(messages.map((_, index) => index + 1));
}
