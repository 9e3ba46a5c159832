import assert from "node:assert/strict";
import { toConnectError } from "farewell/server";
import { messages } from "../messages.js";
import type { Scene } from "../scene.js";

const patienceMs = 1_200;

export const throttle: Scene = {
  name: "throttle",
  title: "Asked to slow down",
  story:
    "Refused at the door, before the first message, with a time. (Here with up to 0.2 s of jitter on top; the default " +
    "is up to 10 s.)",

  async *serve(visit) {
    if (visit.number > 1) return yield* messages(visit, 3);
    visit.log(`throws throttled, for ${patienceMs / 1000} s`);
    throw toConnectError({
      reason: "throttled",
      retryAt: new Date(Date.now() + patienceMs),
      message: "Too many calls",
    });
  },

  async play({ connect, read, traffic }) {
    const asked = Date.now();
    const chat = connect({ policies: { throttled: { initialMs: 200 } } });
    const { ids } = await read(chat.subscribe({ room: "throttle" }), (ids) => ids.length === 3);
    assert.deepEqual(ids, [1, 2, 3]);
    assert(Date.now() - asked >= patienceMs, "expected to wait for as long as the server said");
    assert.equal((await traffic()).calls, 2);
    return "waited as asked, then one attempt";
  },
};
