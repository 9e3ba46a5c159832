import type { Socket } from "node:net";
import { type Connection, type Exchange, performOnSocket } from "./exchange.js";
import {
  type Frame,
  firstFlag,
  frame,
  framesIn,
  frameType,
  goaway,
  headersFrame,
  preface,
  rstStream,
  windowUpdate,
} from "./frames.js";

/** When a request counts as read: with its last byte, or with its first message (for streams that stay open). */
export type AnswerAt = "request-end" | "first-message";

/** Speaks HTTP/2 with prior knowledge on a socket. Calls `onRequest` once a request is read. */
export function serveHttp2(socket: Socket, answerAt: AnswerAt, onRequest: (exchange: Exchange) => void): Connection {
  const open = new Map<number, { readonly canceled: AbortController; answered: boolean }>();
  const disconnected = new AbortController();
  let received: Buffer = Buffer.alloc(0);
  let greeted = false;
  let answersPings = true;

  socket.write(frame(frameType.settings, 0, 0));
  socket.on("close", () => {
    disconnected.abort();
    open.clear();
  });
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (!greeted) {
      if (received.length < preface.length) return;
      if (received.toString("latin1", 0, preface.length) !== preface) {
        socket.destroy();
        return;
      }
      greeted = true;
      received = received.subarray(preface.length);
    }
    const { frames, rest } = framesIn(received);
    received = rest;
    for (const frame of frames) read(frame);
  });
  return { open: () => open.size };

  function read({ type, flags, streamId, payload }: Frame): void {
    if (socket.destroyed) return;
    const flagged = (flags & firstFlag) !== 0;
    switch (type) {
      case frameType.settings:
        if (!flagged) socket.write(frame(frameType.settings, firstFlag, 0));
        break;
      case frameType.ping:
        if (!flagged && answersPings) socket.write(frame(frameType.ping, firstFlag, 0, payload));
        break;
      case frameType.headers:
        open.set(streamId, { canceled: new AbortController(), answered: false });
        if (flagged) answer(streamId);
        break;
      case frameType.data:
        if (payload.length > 0) {
          socket.write(windowUpdate(0, payload.length));
          if (!flagged && open.has(streamId)) socket.write(windowUpdate(streamId, payload.length));
        }
        if (flagged || (answerAt === "first-message" && payload.length > 0)) answer(streamId);
        break;
      case frameType.rstStream:
        open.get(streamId)?.canceled.abort();
        open.delete(streamId);
        break;
      default: // GOAWAY, PRIORITY, WINDOW_UPDATE, CONTINUATION: nothing that a script depends on
    }
  }

  function answer(streamId: number): void {
    const request = open.get(streamId);
    if (!request || request.answered) return;
    request.answered = true;
    onRequest(exchange(streamId, AbortSignal.any([request.canceled.signal, disconnected.signal])));
  }

  function exchange(streamId: number, gone: AbortSignal): Exchange {
    const lastStreamId = { this: streamId, none: 0, max: 0x7fffffff };
    return {
      socket,
      gone,
      perform: (step) => {
        switch (step.do) {
          case "head":
            socket.write(headersFrame(streamId, { ":status": "200", ...step.fields }, false));
            break;
          case "body":
            socket.write(frame(frameType.data, 0, streamId, step.bytes));
            break;
          case "finish": {
            const bare = Object.keys(step.trailers).length === 0;
            socket.write(
              bare ? frame(frameType.data, firstFlag, streamId) : headersFrame(streamId, step.trailers, true),
            );
            open.delete(streamId);
            break;
          }
          case "respond": {
            const bare = step.body.length === 0;
            socket.write(headersFrame(streamId, { ":status": String(step.status), ...step.fields }, bare));
            if (!bare) socket.write(frame(frameType.data, firstFlag, streamId, step.body));
            open.delete(streamId);
            break;
          }
          case "reset":
            socket.write(rstStream(streamId, step.code));
            open.delete(streamId);
            break;
          case "goaway":
            socket.write(goaway(lastStreamId[step.last], step.code, step.debug));
            break;
          case "ignore-pings":
            answersPings = false;
            break;
          case "raw":
            socket.write(step.bytes);
            break;
          case "fin":
          case "tcp-rst":
            performOnSocket(socket, step.do);
            break;
          default:
            step satisfies never;
        }
      },
    };
  }
}
