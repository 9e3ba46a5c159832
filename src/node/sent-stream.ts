import { type ClientHttp2Stream, constants } from "node:http2";
import { unanswered } from "./lost.js";

/** Whom a stream tells of itself. */
export interface StreamWatcher {
  heard(): void;
  /** What the connection was lost by, if it is gone. */
  loss(): Error | undefined;
  closed(): void;
}

/**
 * Listens to a stream before connect-node does. Node closes the streams of a lost connection as if they were canceled: connect-node
 * takes that for a cancel of the server's, or, without headers, hears nothing at all (connectrpc/connect-es#1678).
 */
export function attend(stream: ClientHttp2Stream, { heard, loss, closed }: StreamWatcher): ClientHttp2Stream {
  let answered = false;
  stream.on("error", () => {}); // until connect-node listens
  stream.once("response", () => {
    answered = true;
    heard();
  });
  return stream.once("close", () => {
    const silent = stream.rstCode === constants.NGHTTP2_NO_ERROR && !answered;
    const error = silent || stream.rstCode === constants.NGHTTP2_CANCEL ? loss() : undefined;
    if (error ?? silent) stream.emit("error", error ?? unanswered());
    closed();
  });
}
