import assert from "node:assert/strict";
import { method } from "farewell";
import { toConnectError } from "farewell/server";
import { ChatService } from "../../gen/chat/v1/chat_pb.js";
import { messages } from "../messages.js";
import type { Scene } from "../scene.js";

const awayMs = 1_500;

export const maintenance: Scene = {
  name: "maintenance",
  title: "Maintenance, with a time to come back",
  story:
    "The server's time is a floor, never undercut. Jitter goes on top, or all clients would come in the same moment. " +
    "(Here up to 0.3 s of it; the default is up to 5 s.)",

  async *serve(visit) {
    yield* messages(visit, 3);
    if (visit.number > 1) return;
    visit.log(`throws maintenance, back in ${awayMs / 1000} s`);
    throw toConnectError({ reason: "maintenance", retryAt: new Date(Date.now() + awayMs), message: "Deploying" });
  },

  async play({ connect, read }) {
    const chat = connect({
      policies: { maintenance: { initialMs: 300 } },
      methods: [
        method(ChatService.method.subscribe, { resume: (request, last) => ({ ...request, afterId: last.id }) }),
      ],
    });
    let retryAt = Number.POSITIVE_INFINITY;
    let backAt = 0;
    chat.$session.onMaintenance((disconnect) => {
      retryAt = disconnect.retryAt?.getTime() ?? retryAt;
    });
    chat.$session.on("reconnected", () => {
      backAt = Date.now();
    });
    const { ids } = await read(chat.subscribe({ room: "maintenance" }));
    assert.deepEqual(ids, [1, 2, 3, 4, 5, 6]);
    assert(backAt >= retryAt, `expected to be back after the server's time, not ${retryAt - backAt} ms before`);
    return `came back ${backAt - retryAt} ms after the announced time`;
  },
};
