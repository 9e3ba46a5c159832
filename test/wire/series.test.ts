import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { ChatService, type SubscribeRequest } from "../../examples/gen/chat/v1/chat_pb.js";
import { method } from "../../src/index.js";
import { someOf } from "../runs.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { endings } from "./endings.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import type { Script } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { sessionAt, soon, soonForAll } from "./session-at.js";
import { tap } from "./tap.js";

// Endings one after the other, in any order: what one leaves behind must not spoil the next attempt.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(someOf(names))("to %s,", (name) => {
  const client = clients[name];
  const survivable = endings.filter(({ on, outcome, reasons, script: { at, end } }) => {
    const read = at !== "on-connect"; // a request that is not read cannot say where to go on
    const honest = ![end].flat().some(({ kind }) => kind === "body"); // bytes that were written down may be message 2
    return on.includes(name) && read && honest && outcome !== "hangs" && !reasons.includes(undefined);
  });

  test("a stream survives any series of endings without loss or duplicate", async () => {
    const anySeries = fc.array(fc.constantFrom(...survivable), { minLength: 2, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(anySeries, async (series) => {
        const server = own(await startScriptedServer({ ...client, script: last }));
        const link = linkTo(server.url, client);
        let lastId = Number.POSITIVE_INFINITY;
        const { transport } = tap(link.transport, ({ afterId = 0 }: Partial<SubscribeRequest>, attempt) => {
          const script = series[attempt - 1]?.script ?? last;
          server.setScript({ ...script, firstId: afterId + 1 });
          if (script === last) lastId = afterId + 3;
        });
        const { session, chat, lines } = sessionAt(
          { ...link, transport },
          {
            methods: [resumable],
            policies: { ...soonForAll, unauthenticated: patient, aborted: patient },
            refresh,
          },
        );
        own(session);
        const ids: number[] = [];
        for await (const { id } of chat.subscribe({})) {
          ids.push(id);
          if (id === lastId) break;
        }
        expect(ids).toEqual(ids.map((_, index) => index + 1));
        expect(lines.filter((line) => line.startsWith("disconnected"))).toHaveLength(1);
        expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
        await vi.waitFor(() => expect(server.open()).toBe(0), patience);
        await server.close();
      }),
      { numRuns: 20 },
    );
  });
});

const last: Script = { at: "mid-stream", messages: 3, end: { kind: "silence" } };
const patient = { ...soon, maxAttempts: null };
const refresh = async () => {};
const resumable = method(ChatService.method.subscribe, {
  endless: true,
  resume: (request, last) => ({ ...request, afterId: last.id }),
});
