import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Scene } from "../scene.js";

const bareMs = 2_000;
const heldMs = 5_000;

export const flap: Scene = {
  name: "flap",
  title: "A flapping server",
  story:
    "It lets everyone in, sends a message and drops the connection 20 ms later. A loop that just tries again hammers " +
    "it; a session does not take an open stream for a healthy one. (Defaults, nothing shortened.)",

  async *serve({ stream, signal }) {
    yield { id: 1 };
    await sleep(20);
    stream.session?.destroy();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },

  async play({ connect, bare, read, traffic, log }) {
    log(`first a bare loop, for ${bareMs / 1000} s: catch, wait 10 ms, try again`);
    const chat = bare();
    const began = Date.now();
    // On a slow machine for longer, until the difference shows.
    for (let times = 0; times < 40 || Date.now() < began + bareMs; times++) {
      await read(chat.subscribe({ room: "flap" }));
      await sleep(10);
    }
    const tookMs = Date.now() - began;
    const loop = (await traffic()).connections;
    log(`made ${loop} connections`);

    log(`now a session, for ${heldMs / 1000} s`);
    const held = connect();
    setTimeout(() => held.$session.close(), heldMs);
    const { end } = await read(held.subscribe({ room: "flap" }));
    const session = (await traffic()).connections - loop;
    log(`made ${session} connections`);
    // The first, and then at most the burst of the rate limit.
    assert(session <= 6, `expected at most 6 connections, not ${session}`);
    assert(loop > 5 * session, "expected far fewer than the loop made");
    assert.equal(end, undefined);
    return `${session} connections in ${heldMs / 1000} s; a bare loop made ${loop} in ${(tookMs / 1000).toFixed()} s`;
  },
};
