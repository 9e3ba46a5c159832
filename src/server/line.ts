import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { type ContextKey, createContextKey } from "@connectrpc/connect";

// What is below a call: the HTTP/2 stream, or the HTTP/1.1 connection. The only place that touches it.

/** The way to one client, below all protocols. */
export interface Line {
  readonly peer: string | undefined;
  /** All that was to be said has been handed to the operating system. */
  readonly flushed: boolean;
  /** Calls `listener` once, when neither side uses it any more; at once if that is so already. */
  onGone(listener: () => void): void;
  /** Cuts it without a word: RST_STREAM over HTTP/2, a destroyed socket over HTTP/1.1. */
  cut(): void;
}

/** The request of Node's server, or of a framework that wraps it (fastify, express). */
export type RawRequest = IncomingMessage | { readonly stream: ServerHttp2Stream };

export const rawKey: ContextKey<RawRequest | undefined> = createContextKey<RawRequest | undefined>(undefined, {
  description: "farewell: the request of Node's server",
});

/** @returns `undefined` for what is no request of Node's. */
export function rawOf(request: unknown): RawRequest | undefined {
  const { raw = request } = (request ?? {}) as { readonly raw?: unknown };
  if (typeof raw !== "object" || raw === null || !("stream" in raw || "socket" in raw)) return undefined;
  return raw as RawRequest;
}

export function lineOf(raw: RawRequest): Line {
  return "stream" in raw ? overHttp2(raw.stream) : overHttp1(raw);
}

function overHttp2(stream: ServerHttp2Stream): Line {
  const { session } = stream;
  return {
    peer: session?.socket?.remoteAddress,
    get flushed() {
      // A connection that is destroyed takes along what nghttp2 had taken over but not written.
      return stream.writableFinished && stream.sentTrailers !== undefined && !session?.destroyed;
    },
    onGone(listener) {
      if (stream.destroyed) queueMicrotask(listener);
      else stream.once("close", listener);
    },
    cut() {
      // What ASP.NET's HttpContext.Abort() sends. CANCEL would read like the client's own abort.
      if (!stream.destroyed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    },
  };
}

/** Node gives `contextValues` no response, but it tells of each one that is done (nodejs.org, diagnostics_channel). */
const finishing = "http.server.response.finish";
const awaited = new Map<IncomingMessage, () => void>();

function noteFinished(message: unknown): void {
  const { request } = message as { readonly request: IncomingMessage };
  awaited.get(request)?.();
}

function overHttp1(request: IncomingMessage): Line {
  const { socket } = request;
  let flushed = false;
  return {
    peer: socket.remoteAddress,
    get flushed() {
      return flushed;
    },
    onGone(listener) {
      const gone = () => {
        socket.off("close", gone);
        request.off("end", gone);
        awaited.delete(request);
        if (awaited.size === 0) unsubscribe(finishing, noteFinished);
        listener();
      };
      if (awaited.size === 0) subscribe(finishing, noteFinished);
      awaited.set(request, () => {
        flushed = true;
        if (request.complete) gone();
        else request.once("end", gone); // the client is still sending
      });
      if (socket.destroyed) queueMicrotask(gone);
      else socket.once("close", gone);
    },
    cut: () => destroy(socket),
  };
}

/** By TCP RST, so that what a client does not read is not kept for it; over TLS Node can only close. */
function destroy(socket: Socket): void {
  if ("encrypted" in socket) socket.destroy();
  else socket.resetAndDestroy();
}
