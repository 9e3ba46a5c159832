import assert from "node:assert/strict";
import { disconnectOf } from "farewell";
import { toConnectError } from "farewell/server";
import { messages } from "../messages.js";
import type { Scene } from "../scene.js";

const hourMs = 3_600_000;

export const ban: Scene = {
  name: "ban",
  title: "A ban, with its end",
  story: "The verdict stands for the whole session: later calls fail at once, with the same error and without traffic.",

  async *serve(visit) {
    if (visit.number === 1) yield* messages(visit, 2);
    visit.log(visit.number === 1 ? "throws banned, for an hour" : "is still banned: refuses at the door");
    throw toConnectError({ reason: "banned", until: new Date(Date.now() + hourMs), message: "Three strikes" });
  },

  async play({ connect, read, traffic, log }) {
    const chat = connect();
    const { end } = await read(chat.subscribe({ room: "ban" }));
    assert(end?.reason === "banned" && end.until, "expected banned, until a date");
    const leftMs = end.until.getTime() - Date.now();
    assert(leftMs > 0 && leftMs <= hourMs, "expected an end within an hour");

    const before = await traffic();
    const again = await read(chat.subscribe({ room: "ban" }));
    const error = await chat.say({ text: "Let me in!" }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.equal(again.end, end);
    assert.equal(disconnectOf(error), end);
    const { connections, calls } = await traffic();
    assert.deepEqual({ connections, calls }, before);
    log(`tried another stream and a unary call: the server still counts ${connections} connection, ${calls} call`);

    log("starts the app again: a new session");
    const { end: refused } = await read(connect().subscribe({ room: "ban" }));
    assert.equal(refused?.reason, "banned");
    assert.deepEqual(await traffic(), { connections: 2, calls: 2 });
    return "ended; later calls made no traffic";
  },
};
