import {
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { ConnectionState } from "../ports/connection-state.js";
import { beginLife, type Http2Rules, type Http2Watcher } from "./http2-life.js";
import { lost } from "./lost.js";
import { attend } from "./sent-stream.js";

/** One HTTP/2 connection, from its first byte to its last. It is never used again once it has ended. */
export interface Http2Connection {
  readonly state: ConnectionState;
  /** Whether a call may go out on it, or will: it is there, or being made. */
  readonly takes: boolean;
  /** How many more streams the server allows, less the calls that wait. Until it has said so, as many as are asked for. */
  readonly room: number;
  /** Streams and waiting calls. */
  readonly load: number;
  /**
   * Sends a call as soon as the connection is made, or has shown that it is alive. `undefined`: it is going, or full, and the
   * call has not gone out. Rejects with what kept the connection from being made.
   *
   * @param crowded Whether to wait in line where it is full.
   */
  call(headers: OutgoingHttpHeaders, options: RequestOptions, crowded: () => boolean): Promise<Sent>;
  /** Something has come on one of its streams. */
  heard(): void;
  /** Cuts it, and all of its streams with it. */
  end(error?: Error): void;
}

export type Sent = ClientHttp2Stream | undefined;
export type RequestOptions = Omit<ClientSessionRequestOptions, "signal">;

/** Opens a connection. */
export function openConnection(rules: Http2Rules, watcher: Http2Watcher): Http2Connection {
  const streams = new Set<ClientHttp2Stream>();
  let waiting = 0;
  const life = beginLife(rules, watcher, () => streams.size + waiting);
  const { session, pulse } = life;

  // What stands in line would do so until the last stream there has ended, and then not go out.
  session.on("goaway", () => {
    for (const stream of streams) {
      if (stream.state.state === constants.NGHTTP2_STREAM_STATE_IDLE) stream.destroy(lost("it takes no more calls"));
    }
  });

  /** A server that allows none at all is asked all the same, or it would be asked by one connection after the other. */
  function free(): number {
    if (life.phase === "connecting") return Number.POSITIVE_INFINITY;
    return Math.max(1, session.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY) - streams.size;
  }

  function send(headers: OutgoingHttpHeaders, options: RequestOptions): ClientHttp2Stream {
    const stream = session.request(headers, options);
    streams.add(stream);
    pulse.watch();
    return attend(stream, {
      heard: pulse.heard,
      loss() {
        const gone = session.destroyed || (session.closed && life.phase !== "leaving");
        return gone ? (life.failure ?? lost("it was closed")) : undefined;
      },
      closed() {
        streams.delete(stream);
        life.rest();
      },
    });
  }

  return {
    get state() {
      const { phase, failure } = life;
      if (phase === "connecting") return phase;
      if (phase === "over") return failure ? "error" : "closed";
      if (pulse.verifying) return "verifying";
      return streams.size > 0 ? "open" : "idle";
    },
    get takes() {
      return life.phase === "connecting" || (life.phase === "taking" && !session.closed && !session.destroyed);
    },
    get room() {
      return free() - waiting;
    },
    get load() {
      return streams.size + waiting;
    },
    async call(headers, options, crowded) {
      waiting++;
      life.use();
      try {
        await (life.phase === "connecting" ? life.opened : pulse.verify());
      } finally {
        waiting--;
      }
      try {
        if (this.takes && (free() > 0 || crowded())) return send(headers, options);
      } catch (error) {
        if (this.takes) throw error; // it is about the request
      } finally {
        life.rest();
      }
      return undefined;
    },
    heard: pulse.heard,
    end: life.end,
  };
}
