import { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import type { RawRequest } from "../../src/server/inside/raw-stream.js";

/** What is below a call, without a socket: as much of an HTTP/2 stream of Node's as a raw stream reads. */
export interface FakeStream {
  /** For `rawStreamOf`, or for the context value `rawRequestKey`. */
  readonly raw: RawRequest;
  /** How often it was reset. */
  readonly resets: number;
  /** All was said, and it is closed. */
  finish(): void;
  /** The client is gone. */
  vanish(): void;
}

/** @param onReset what happens at a reset, before the stream is gone */
export function createFakeStream(peer = "192.0.2.1", onReset: () => void = () => {}): FakeStream {
  let resets = 0;
  const stream = Object.assign(new EventEmitter(), {
    session: { socket: { remoteAddress: peer, destroyed: false }, destroyed: false, state: {}, close() {} },
    destroyed: false,
    sentTrailers: undefined as object | undefined,
    close() {
      resets++;
      onReset();
      vanish();
    },
  });
  function vanish(): void {
    if (stream.destroyed) return;
    stream.destroyed = true;
    stream.emit("close");
  }
  return {
    raw: { stream: stream as unknown as ServerHttp2Stream },
    get resets() {
      return resets;
    },
    finish() {
      stream.emit("finish");
      stream.sentTrailers = {};
      vanish();
    },
    vanish,
  };
}
