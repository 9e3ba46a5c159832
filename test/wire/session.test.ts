import { Code } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService, type Message, type SubscribeRequest } from "../../examples/gen/chat/v1/chat_pb.js";
import { type Disconnect, disconnectOf, method, type SessionOptions } from "../../src/index.js";
import { someOf } from "../runs.js";
import { type Client, type ClientName, clients, type LinkOptions, linkTo } from "./clients.js";
import { h2 } from "./endings/ending.js";
import { endings } from "./endings.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import type { End, Script } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { read, sessionAt } from "./session-at.js";
import { tap } from "./tap.js";

// What a session makes of each ending. What the classifier makes of it is shown by classify.test.ts.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(someOf(names))("to %s, a stream that meets", (name) => {
  const client = clients[name];
  for (const { name: ending, script, outcome, reasons } of endings.filter(({ on }) => on.includes(name))) {
    if (outcome === "hangs") continue;
    const comesBack = reasons.some((reason) => reason !== undefined);

    test(`${ending} ${script.at} ${comesBack ? "goes on where it stopped" : "ends, unless it was open and may go on"}`, async () => {
      const { server, session, chat, lines, events, attempts } = await start(client, script);
      const messages = chat.subscribe({ room: "lobby" })[Symbol.asyncIterator]();
      const { ids, error } = await read(3, messages);
      const lost = events.filter(([type]) => type === "streamLost") as [string, { disconnect: Disconnect }][];
      for (const [, { disconnect }] of lost.slice(0, 1))
        expect(reasons, disconnect.message).toContain(disconnect.source === "unknown" ? undefined : disconnect.reason);
      if (lost.length > 0) {
        expect(error).toBeUndefined();
        expect(ids).toEqual([1, 2, 3]);
        expect(lines.filter((line) => line.startsWith("disconnected"))).toHaveLength(1);
      } else {
        expect(reasons).toContain(undefined);
        if (outcome === "ends")
          expect(error).toMatchObject({ code: Code.PermissionDenied }); // not as if all was well
        else expect(error).toBe(attempts[0]?.error); // the very one
        expect(disconnectOf(error)).toBeUndefined();
        expect(attempts).toHaveLength(1);
      }
      session.close();
      await messages.next().catch(() => {});
      expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(1);
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    });
  }
});

describe.each(someOf(names))("to %s, a stream that hangs after", (name) => {
  const client = clients[name];
  for (const { name: ending, script, outcome } of endings.filter(({ on }) => on.includes(name))) {
    if (outcome !== "hangs") continue;

    test(`${ending} ${script.at} is given up as lost, and goes on`, async () => {
      // A silent HTTP/2 connection stays in use until PINGs find out: the deadlines end calls, not connections.
      const dead = script.at === "on-connect" && client.httpVersion === "2";
      const { server, session, chat, events } = dead
        ? await start(client, script, {}, { pingIntervalMs: 20, pingTimeoutMs: 100 })
        : await start(client, script, impatient);
      const messages = chat.subscribe({ room: "lobby" })[Symbol.asyncIterator]();
      expect(await read(3, messages)).toEqual({ ids: [1, 2, 3] });
      const lost = events.find(([type]) => type === "streamLost")?.[1];
      expect(lost).toMatchObject({ disconnect: { reason: "network", source: dead ? "transport" : "liveness" } });
      session.close();
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    });
  }
});

describe.each(h2)("with the session manager, to %s,", (name) => {
  const client = clients[name];

  test.each<[string, End, string]>([
    ["RST 8", { kind: "rst", code: 8 }, "aborted"],
    ["FIN", { kind: "fin" }, "network"],
  ])("%s is what it is, although Connect throws the same error", async (_, end, reason) => {
    const { session, chat, events, attempts } = await start(client, { at: "mid-stream", end });
    await read(3, chat.subscribe({})[Symbol.asyncIterator]());
    expect(attempts[0]?.error).toMatchObject({ rawMessage: "http/2 stream closed with error code CANCEL (0x8)" });
    expect(events.find(([type]) => type === "streamLost")?.[1]).toMatchObject({ disconnect: { reason } });
    session.close();
  });

  test("RST 8 beside a stream that lives on is aborted, and concerns the other not", async () => {
    const script: Script = { at: "mid-stream", end: { kind: "rst", code: 8 } };
    const { server, session, chat, events } = await start(client, [from(1), script]);
    const living = chat.subscribe({})[Symbol.asyncIterator]();
    expect(await read(3, living)).toEqual({ ids: [1, 2, 3] });
    const messages = chat.subscribe({})[Symbol.asyncIterator]();
    await read(2, messages);
    const lost = events.filter(([type]) => type === "streamLost").map(([, loss]) => loss);
    expect(lost).toMatchObject([{ stream: { id: 2 }, disconnect: { reason: "aborted" } }]);
    expect(server.connections()).toBe(1);
    session.close();
  });

  test("a server that can only kick by a reset is understood, where the app says so", async () => {
    const kicked: Script = { at: "mid-stream", end: { kind: "rst", code: 2 } };
    const cut: Script = { at: "mid-stream", end: { kind: "fin" } };
    const { session, chat, attempts, lines } = await start(client, [cut, kicked], { abortedMeans: "kicked" });
    const messages = chat.subscribe({})[Symbol.asyncIterator]();
    const { error } = await read(9, messages);
    expect(error).toBe(attempts[1]?.error);
    expect(disconnectOf(error)).toMatchObject({ reason: "kicked", said: false, source: "transport" });
    expect(lines).toContain("disconnected: network");
    expect(session.state.status).toBe("ended");
  });

  test("so is one that resets a bidi stream which is not reopened: a hub cannot be opened again", async () => {
    const reset: Script = { at: "mid-stream", end: { kind: "rst", code: 2 } };
    const { server, session, chat, attempts } = await start(client, [reset], { abortedMeans: "kicked" });
    const hub = () => read(9, chat.talk(hello())[Symbol.asyncIterator]());
    const { error } = await hub();
    expect(error).toBe(attempts[0]?.error);
    expect(disconnectOf(error)).toMatchObject({ reason: "kicked", said: false });
    expect(session.state.status).toBe("ended");
    expect(await hub()).toEqual({ ids: [], error });
    expect(server.requests()).toBe(1);
  });
});

async function start(
  client: Client,
  script: Script | readonly Script[],
  options: SessionOptions = {},
  link: LinkOptions = {},
) {
  const scripts = [script].flat();
  const server = own(await startScriptedServer({ ...client, script: [...scripts, from(1)] }));
  const { transport, connection } = linkTo(server.url, client, link);
  // An honest server: what it sends next is what it is asked for.
  const { attempts, transport: tapped } = tap(transport, ({ afterId = 0 }: Partial<SubscribeRequest>, attempt) => {
    if (attempt > scripts.length) server.setScript(from(afterId + 1));
  });
  const told = sessionAt(
    { transport: tapped, connection },
    { methods: [resumable], refresh: async () => {}, ...options },
  );
  own(told.session);
  return { server, attempts, ...told };
}

const follow = {
  endless: true,
  resume: (request: SubscribeRequest, last: Message) => ({ ...request, afterId: last.id }),
};
const resumable = method(ChatService.method.subscribe, follow);

const impatient: SessionOptions = {
  methods: [method(ChatService.method.subscribe, { ...follow, idleTimeoutMs: 100 })],
  headersTimeoutMs: 100,
};

/** What comes after the ending. */
function from(firstId: number): Script {
  return { at: "mid-stream", firstId, messages: 3, end: { kind: "silence" } };
}

async function* hello() {
  yield { text: "hello" };
}
