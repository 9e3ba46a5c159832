import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { method } from "farewell";
import { ChatService } from "../../gen/chat/v1/chat_pb.js";
import type { Scene } from "../scene.js";

/** Something is said every 100 ms, whether or not a server runs: the history is in a database, so to speak. */
const everyMs = 100;

/** Enough to have some from before, some from meanwhile and some from after. */
const count = 36;

/** The id of the last message in the history. */
export function latest(since: number): number {
  return Math.floor((Date.now() - since) / everyMs);
}

export const resume: Scene = {
  name: "resume",
  title: "The server is killed, and started again",
  story:
    "SIGKILL: no goodbye, no trailers. The loop in the app just goes on, with every message once: those that were said " +
    "while the server was down, and not twice the two that it sends again to be sure. (Here the first attempt is after " +
    "0.2 to 0.4 s; the default is within 1.5 s.)",

  async *serve({ afterId, since, signal, log }) {
    const fromId = Math.max(1, afterId - 1);
    log(`sends from message ${fromId} on; the history is at ${latest(since)}`);
    for (let id = fromId; !signal.aborted; id++) {
      await sleep(Math.max(0, since + id * everyMs - Date.now()));
      yield { id, text: `message ${id}` };
    }
  },

  async play({ connect, read, server, log }) {
    const chat = connect({
      policies: { network: { initialMs: 400, jitter: "equal" } },
      methods: [
        method(ChatService.method.subscribe, {
          endless: true,
          resume: (request, last) => ({ ...request, afterId: last.id }),
          position: (message) => message.id,
        }),
      ],
    });
    const outages: number[] = [];
    chat.$session.on("reconnected", ({ downMs }) => outages.push(downMs));
    const { id: afterId } = await chat.say({ text: "Hello!" });
    const reading = read(chat.subscribe({ room: "resume", afterId }), (ids) => ids.length === count);
    await sleep(800);
    log("kills the server: SIGKILL");
    await server.kill();
    await sleep(700);
    log("starts the server again");
    await server.start();
    const { ids } = await reading;
    const [first = 0] = ids;
    assert.deepEqual(
      ids,
      Array.from({ length: count }, (_, index) => first + index),
    );
    assert.equal(outages.length, 1);
    return `messages ${first} to ${ids.at(-1)}: none lost, none twice`;
  },
};
