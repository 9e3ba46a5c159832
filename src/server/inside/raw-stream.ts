import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { type ContextKey, createContextKey } from "@connectrpc/connect";
import { linger } from "./linger.js";

// What is below a call: the HTTP/2 stream, or the HTTP/1.1 connection. The only place that touches it.

/** The way to one client, below all protocols. */
export interface RawStream {
  readonly peer: string | undefined;
  /** All that was to be said has been handed to the operating system. */
  readonly flushed: boolean;
  /** Calls `listener` once, when neither side uses it any more; at once if that is so already. */
  onGone(listener: () => void): void;
  /** Takes no further calls over this connection, so that who is sent away comes back by a new one. Those there are end. */
  retire(): void;
  /** Cuts it without a word: RST_STREAM over HTTP/2, a destroyed socket over HTTP/1.1. */
  cut(): void;
}

/** The request of Node's server, or of a framework that wraps it (fastify, express). */
export type RawRequest =
  | IncomingMessage
  | { readonly stream: ServerHttp2Stream; readonly headers?: IncomingHttpHeaders; readonly authority?: string };

export const rawRequestKey: ContextKey<RawRequest | undefined> = createContextKey<RawRequest | undefined>(undefined, {
  description: "farewell: the request of Node's server",
});

/** @returns `undefined` for what is no request of Node's. */
export function rawRequestOf(request: unknown): RawRequest | undefined {
  const { raw = request } = (request ?? {}) as { readonly raw?: unknown };
  if (typeof raw !== "object" || raw === null || !("stream" in raw || "socket" in raw)) return undefined;
  return raw as RawRequest;
}

export function rawStreamOf(request: RawRequest): RawStream {
  return "stream" in request ? overHttp2(request.stream, request.headers) : overHttp1(request);
}

function overHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders = {}): RawStream {
  const { session } = stream;
  // gRPC's last words are in the trailers; those of the others stand before, and whoever has read them may not wait for more.
  const inTrailers = !/^application\/(connect\+|grpc-web)/.test(headers["content-type"] ?? "");
  let finished = false;
  let written = false;
  const raw: RawStream = {
    peer: session?.socket?.remoteAddress,
    get flushed() {
      return finished && (stream.sentTrailers !== undefined || (written && !inTrailers));
    },
    onGone(listener) {
      if (stream.destroyed) queueMicrotask(listener);
      else {
        stream.once("close", listener);
        stream.once("finish", () => {
          // A connection that is destroyed takes along what nghttp2 had taken over but not written.
          finished = session !== undefined && !session.destroyed && !session.socket.destroyed;
          written = !stream.closed; // a client that has left ends it, too
          if (!stream.readableEnded) linger(stream);
        });
      }
    },
    retire() {
      if (session && !session.closed) session.close(); // GOAWAY
    },
    cut() {
      // INTERNAL_ERROR is what ASP.NET's HttpContext.Abort() sends; CANCEL would read like the client's own abort.
      const code = raw.flushed ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_INTERNAL_ERROR;
      if (!stream.destroyed) stream.close(code);
    },
  };
  return raw;
}

/** Node gives `contextValues` no response, but it tells of each one that is done (nodejs.org, diagnostics_channel). */
const finishing = "http.server.response.finish";
const awaited = new Map<IncomingMessage, () => void>();

function noteFinished(message: unknown): void {
  const { request } = message as { readonly request: IncomingMessage };
  awaited.get(request)?.();
}

function overHttp1(request: IncomingMessage): RawStream {
  const { socket } = request;
  let flushed = false;
  let retiring = false;
  const raw: RawStream = {
    peer: socket.remoteAddress,
    get flushed() {
      return flushed;
    },
    onGone(listener) {
      const gone = () => {
        forget();
        request.off("end", gone);
        awaited.delete(request);
        if (awaited.size === 0) unsubscribe(finishing, noteFinished);
        listener();
      };
      if (awaited.size === 0) subscribe(finishing, noteFinished);
      awaited.set(request, () => {
        flushed = true;
        if (retiring) socket.end();
        if (request.complete) gone();
        else request.once("end", gone); // the client is still sending
      });
      const forget = onClose(socket, gone);
    },
    retire() {
      retiring = true;
      if (!awaited.has(request)) raw.onGone(() => {}); // for who was not let in
    },
    cut: () => destroy(socket),
  };
  return raw;
}

const closings = new WeakMap<Socket, Set<() => void>>();

/** Of many calls that are pipelined over one connection, only one listens to it. Returns the removal. */
function onClose(socket: Socket, listener: () => void): () => void {
  if (socket.destroyed) queueMicrotask(listener);
  const there = closings.get(socket);
  const listeners = there ?? new Set();
  if (!there) {
    closings.set(socket, listeners);
    socket.once("close", () => {
      for (const each of listeners) each();
    });
  }
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** By TCP RST, so that what a client does not read is not kept for it. Only TCP has one: TLS and Unix sockets close. */
function destroy(socket: Socket): void {
  try {
    if (!("encrypted" in socket)) socket.resetAndDestroy();
  } catch {} // ERR_INVALID_HANDLE_TYPE
  socket.destroy();
}
