import assert from "node:assert/strict";
import { constants } from "node:http2";
import { messages } from "../messages.js";
import type { Scene } from "../scene.js";

export const abort: Scene = {
  name: "abort",
  title: "A kick by bare abort",
  story:
    "The server resets the stream: RST_STREAM(INTERNAL_ERROR), all that HttpContext.Abort() does in MagicOnion. The " +
    "same bytes come from a crash or a proxy, so the client does not believe in a kick: it comes back, and where it is " +
    "not let in, gives up. (Here after 3 times, 0.2 s apart; by default after 10, with waits that grow to up to a minute.)",

  async *serve(visit) {
    if (visit.number % 4 === 1) yield* messages(visit, 1); // who comes back is not let in
    visit.log("resets the stream, without a word");
    visit.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    await new Promise((resolve) => visit.signal.addEventListener("abort", resolve));
  },

  async play({ connect, read, traffic, log }) {
    const policies = { aborted: { initialMs: 200, factor: 1, jitter: "none", maxAttempts: 3 } } as const;
    const first = await read(connect({ policies }).subscribe({ room: "abort" }));
    assert(first.end?.reason === "aborted" && !first.end.said, "expected aborted, and only inferred");
    assert.equal((await traffic()).calls, 4);

    log('another client knows this server: createSession(transport, { abortedMeans: "kicked" })');
    const second = await read(connect({ abortedMeans: "kicked" }).subscribe({ room: "abort" }));
    assert(second.end?.reason === "kicked" && !second.end.said, "expected kicked, because the app says so");
    assert.equal((await traffic()).calls, 5);
    return "3 attempts, then stopped; with abortedMeans: ended";
  },
};
