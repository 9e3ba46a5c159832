import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { type Connection, type Exchange, performOnSocket } from "./exchange.js";
import type { Fields } from "./script.js";

/** Speaks HTTP/1.1 on a socket. Calls `onRequest` once a request and its body are read. */
export function serveHttp1(socket: Socket, onRequest: (exchange: Exchange) => void): Connection {
  const gone = new AbortController();
  let received: Buffer = Buffer.alloc(0);
  let open = 0;
  socket.on("close", () => gone.abort());
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (received.length > 0 && !/^(?!PRI )[A-Z]/.test(received.toString("latin1", 0, 4))) {
      socket.end(head(400, { connection: "close" })); // TLS, or the preface of HTTP/2
      return;
    }
    for (let end = requestEnd(received); end !== undefined; end = requestEnd(received)) {
      received = received.subarray(end);
      open++;
      onRequest(exchange());
    }
  });
  return { open: () => (gone.signal.aborted ? 0 : open) };

  function exchange(): Exchange {
    let untilClose = false;
    return {
      socket,
      gone: gone.signal,
      perform: (step) => {
        switch (step.do) {
          case "head":
            untilClose = step.untilClose;
            socket.write(
              head(200, {
                ...step.fields,
                ...(untilClose ? { connection: "close" } : { "transfer-encoding": "chunked" }),
              }),
            );
            break;
          case "body":
            socket.write(untilClose ? step.bytes : chunk(step.bytes));
            break;
          case "finish":
            if (untilClose) socket.end();
            else socket.write("0\r\n\r\n");
            open--;
            break;
          case "respond": {
            const length = step.status === 204 ? {} : { "content-length": String(step.body.length) };
            socket.write(Buffer.concat([head(step.status, { ...step.fields, ...length }), step.body]));
            open--;
            break;
          }
          case "raw":
            socket.write(step.bytes);
            break;
          case "fin":
          case "tcp-rst":
            performOnSocket(socket, step.do);
            break;
          case "reset":
          case "goaway":
          case "ignore-pings":
            throw new TypeError(`HTTP/1.1 has no ${step.do}`);
          default:
            step satisfies never;
        }
      },
    };
  }
}

/** Where the first request in `received` ends, or `undefined` while it is incomplete. */
function requestEnd(received: Buffer): number | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const bodyStart = headEnd + 4;
  const head = received.toString("latin1", 0, bodyStart);
  if (/\r\ntransfer-encoding: chunked\r\n/i.test(head)) return chunksEnd(received, bodyStart);
  const end = bodyStart + Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? 0);
  return end <= received.length ? end : undefined;
}

function chunksEnd(received: Buffer, start: number): number | undefined {
  for (let at = start; ; ) {
    const lineEnd = received.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(received.toString("latin1", at, lineEnd), 16);
    at = lineEnd + 2 + size + 2;
    if (at > received.length) return undefined;
    if (size === 0) return at;
  }
}

function head(status: number, fields: Fields): Buffer {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`, "latin1");
}

function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}
