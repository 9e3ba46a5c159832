import { describe, expect, test, vi } from "vitest";
import { ChatService, type SubscribeRequest } from "../../examples/gen/chat/v1/chat_pb.js";
import { type Disconnect, disconnectOf, method } from "../../src/index.js";
import { type Client, type ClientName, clients, type LinkOptions, linkTo } from "./clients.js";
import { endings } from "./endings.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import type { Script } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { read, sessionAt } from "./session-at.js";
import { tap } from "./tap.js";

// What a session makes of each ending. What the classifier makes of it is shown by classify.test.ts.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(names)("to %s, a stream that meets", (name) => {
  const client = clients[name];
  for (const { name: ending, script, outcome, reasons } of endings.filter(({ on }) => on.includes(name))) {
    if (outcome === "hangs") continue;
    const comesBack = reasons.some((reason) => reason !== undefined);

    test(`${ending} ${script.at} ${comesBack ? "goes on where it stopped" : "ends as it does without a session"}`, async () => {
      const { server, session, chat, lines, events, attempts } = await start(client, script);
      const messages = chat.subscribe({ room: "lobby" })[Symbol.asyncIterator]();
      const { ids, error } = await read(3, messages);
      const lost = events.filter(([type]) => type === "streamLost") as [string, { disconnect: Disconnect }][];
      for (const [, { disconnect }] of lost.slice(0, 1))
        expect(reasons, disconnect.message).toContain(disconnect.reason);
      if (lost.length > 0) {
        expect(error).toBeUndefined();
        expect(ids).toEqual([1, 2, 3]);
      } else {
        expect(reasons).toContain(undefined);
        expect(error).toBe(attempts[0]?.error); // the very one; none where the loop ends
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

async function start(client: Client, script: Script, link: LinkOptions = {}) {
  const server = own(await startScriptedServer({ ...client, script: [script, from(1)] }));
  const { transport, connection } = linkTo(server.url, client, link);
  // An honest server: what it sends next is what it is asked for.
  const { attempts, transport: tapped } = tap(transport, ({ afterId }: SubscribeRequest, attempt) => {
    if (attempt > 1) server.setScript(from(afterId + 1));
  });
  const told = sessionAt({ transport: tapped, connection }, { methods: [resumable], refresh: async () => {} });
  own(told.session);
  return { server, attempts, ...told };
}

const resumable = method(ChatService.method.subscribe, {
  endless: true,
  resume: (request, last) => ({ ...request, afterId: last.id }),
});

/** What comes after the ending. */
function from(firstId: number): Script {
  return { at: "mid-stream", firstId, messages: 3, end: { kind: "silence" } };
}
