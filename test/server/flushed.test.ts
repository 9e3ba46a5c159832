import { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { expect, test } from "vitest";
import { rawStreamOf } from "../../src/server/inside/raw-stream.js";

// Node writes what a stream was to say, tells that it has finished, and only then sends the trailers that end it. A client that has
// read its last words by then may reset the stream in between.

/** An answer over HTTP/2, as it is when its client's reset has been seen: before its end was written, or after. */
function reset(contentType: string, when: "written" | "not written"): boolean {
  const stream = Object.assign(new EventEmitter(), {
    destroyed: false,
    closed: when === "not written", // then Node ends it for the client that has left
    readableEnded: true,
    sentTrailers: undefined,
    session: { destroyed: false, socket: { destroyed: false } },
  });
  const raw = rawStreamOf({
    stream: stream as unknown as ServerHttp2Stream,
    headers: { "content-type": contentType },
  });
  let flushed = false;
  raw.onGone(() => {
    flushed = raw.flushed;
  });
  stream.emit("finish");
  stream.emit("close");
  return flushed;
}

test.each([
  "application/connect+proto",
  "application/connect+json",
  "application/grpc-web+proto",
  "application/grpc-web",
])("a client that has read its last words, and does not wait for trailers, was told: %s", (contentType) => {
  expect(reset(contentType, "written")).toBe(true);
  expect(reset(contentType, "not written")).toBe(false);
});

test.each(["application/grpc", "application/grpc+proto"])(
  "last words that are in trailers have to be sent: %s",
  (type) => {
    expect(reset(type, "written")).toBe(false);
  },
);
