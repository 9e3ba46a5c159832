import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { toConnectError } from "farewell/server";
import type { Scene } from "../scene.js";

/** The server's memory: which of the user's devices is inside, and how to put it out. */
let inside: { readonly device: string; readonly supersede: (by: string) => void } | undefined;

export const login: Scene = {
  name: "login",
  title: "Signed in elsewhere",
  story: "The laptop is put out by the phone and stays out. Two clients that both came back would fight for ever.",

  async *serve({ header, log }) {
    const device = header.get("device") ?? "";
    log(inside ? `${device} signs in; throws superseded on the ${inside.device}'s stream` : `${device} signs in`);
    inside?.supersede(device);
    const superseded = new Promise<never>((_, reject) => {
      const supersede = (by: string) =>
        reject(toConnectError({ reason: "superseded", by, message: `You signed in on your ${by}` }));
      inside = { device, supersede };
    });
    superseded.catch(() => {}); // may come while nobody waits for it
    for (let id = 1; ; id++) {
      yield { id };
      await Promise.race([sleep(80), superseded]);
    }
  },

  async play({ connect, read, traffic }) {
    const on = (device: string, count = Number.POSITIVE_INFINITY) => {
      const { subscribe } = connect({}, device, [
        (next) => (request) => {
          request.header.set("device", device);
          return next(request);
        },
      ]);
      return read(subscribe({ room: "login" }), (ids) => ids.length === count);
    };
    const laptop = on("laptop");
    await sleep(200);
    const phone = on("phone", 8);
    const { end } = await laptop;
    assert(end?.reason === "superseded" && end.by === "phone", "expected superseded, by the phone");
    assert.deepEqual((await phone).ids, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal((await traffic()).calls, 2);
    return "laptop ended; the phone reads on";
  },
};
