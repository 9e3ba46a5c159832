import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { toConnectError } from "farewell/server";
import { messages } from "../messages.js";
import type { Scene } from "../scene.js";

export const kick: Scene = {
  name: "kick",
  title: "A clean kick",
  story: "The handler throws toConnectError({ reason: “kicked”, … }). The reason travels with the end of the stream.",

  async *serve(visit) {
    yield* messages(visit, 3);
    visit.log("throws kicked");
    throw toConnectError({ reason: "kicked", code: "afk", message: "Idle for 10 minutes" });
  },

  async play({ connect, read, traffic }) {
    const { ids, end } = await read(connect().subscribe({ room: "kick" }));
    await sleep(400); // time to come back, if it wanted to
    assert.deepEqual(ids, [1, 2, 3]);
    assert(
      end?.reason === "kicked" && end.said && end.source === "detail",
      "expected kicked, by the server's typed detail",
    );
    assert.equal(end.code, "afk");
    assert.equal(end.message, "Idle for 10 minutes");
    assert.deepEqual(await traffic(), { connections: 1, calls: 1 });
    return "ended; did not come back";
  },
};
