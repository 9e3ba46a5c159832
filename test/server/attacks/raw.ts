import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Siege } from "./siege.js";

/** A connection of an attacker: bytes, and nothing that keeps to any rule. */
export interface Raw {
  readonly socket: Socket;
  readonly closed: boolean;
  /** Resolves when it was handed to the operating system, or the server has closed. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** Resolves when the server has closed, with all that it has sent. */
  readonly over: Promise<Buffer>;
  /** All that the server has sent so far. */
  received(): Buffer;
  close(): void;
}

/** @param reads false: what the server sends stays in the operating system's buffers, until they are full */
export async function connect({ port, tls, httpVersion }: Siege, { reads = true } = {}): Promise<Raw> {
  const alpn = { ALPNProtocols: [httpVersion === "2" ? "h2" : "http/1.1"], rejectUnauthorized: false };
  const socket = tls ? connectTls(port, "127.0.0.1", alpn) : connectTcp(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  if (reads) socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => {}); // to be reset is what it is there for
  const over = new Promise<Buffer>((resolve) => socket.on("close", () => resolve(Buffer.concat(chunks))));
  await Promise.race([once(socket, tls ? "secureConnect" : "connect"), over]);
  return {
    socket,
    over,
    get closed() {
      return socket.destroyed || socket.readableEnded;
    },
    async write(bytes) {
      if (socket.destroyed) return;
      await Promise.race([new Promise<void>((resolve) => socket.write(bytes, () => resolve())), over]);
    },
    received: () => Buffer.concat(chunks),
    close: () => void socket.destroy(),
  };
}
