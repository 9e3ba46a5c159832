import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { method } from "farewell";
import { ChatService } from "../../gen/chat/v1/chat_pb.js";
import { messages } from "../messages.js";
import type { Scene } from "../scene.js";

export const token: Scene = {
  name: "token",
  title: "An expired token",
  story:
    "Three streams of one session are refused by a plain status, Unauthenticated. The token is refreshed once for all, " +
    "and each goes on where it was. (Here with a delay of up to 0.2 s; the default is up to 1.5 s.)",

  async *serve(visit) {
    const fresh = visit.header.get("authorization") === "Bearer token-2";
    yield* messages(visit, 3);
    if (fresh) return;
    if (visit.number === 3) visit.log("the token has expired: throws Unauthenticated, on all three");
    throw new ConnectError("token expired", Code.Unauthenticated);
  },

  async play({ connect, read, log, traffic }) {
    let token = 1;
    let refreshes = 0;
    const chat = connect(
      {
        policies: { unauthenticated: { initialMs: 200 } },
        methods: [
          method(ChatService.method.subscribe, { resume: (request, last) => ({ ...request, afterId: last.id }) }),
        ],
        refresh: async () => {
          refreshes++;
          log("refreshes its token …");
          await sleep(200);
          token++;
          log(`has token-${token}`);
        },
      },
      "client",
      [
        (next) => (request) => {
          request.header.set("authorization", `Bearer token-${token}`);
          return next(request);
        },
      ],
    );
    const streams = await Promise.all([1, 2, 3].map(() => read(chat.subscribe({ room: "token" }))));
    for (const { ids } of streams) assert.deepEqual(ids, [1, 2, 3, 4, 5, 6]);
    assert.equal(refreshes, 1);
    assert.equal((await traffic()).calls, 6);
    return "1 refresh for 3 streams, all resumed";
  },
};
