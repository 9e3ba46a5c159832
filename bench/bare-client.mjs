import { connect } from "node:http2";
import { createConnection } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { SubscribeRequestSchema } from "./chat.mjs";

// Clients that cost so little that the server is all that is measured: they write a subscription that was encoded before,
// and look for nothing but the end of the answer. `call(user, room, lane)` resolves there.

const path = "/chat.v1.ChatService/Subscribe";

const encoded = new Map();

function bodyFor(room) {
  if (!encoded.has(room)) encoded.set(room, encode(room));
  return encoded.get(room);
}

function encode(room) {
  const message = toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, { room }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Over HTTP/2: lanes share `connections`. */
export function overHttp2(url, type, connections = 1) {
  const settings = { initialWindowSize: 1 << 20 };
  const sessions = Array.from({ length: connections }, () => connect(url, { settings }).on("error", noticed));
  const headers = { ":method": "POST", ":path": path, "content-type": type, te: "trailers" };
  return (user, room, lane = 0) =>
    new Promise((resolve, reject) => {
      const stream = sessions[lane % connections].request({ ...headers, "x-user": user });
      stream.once("close", resolve).once("error", reject);
      stream.resume();
      stream.end(bodyFor(room));
    });
}

/** Over HTTP/1.1, kept alive: each lane has a connection of its own, and one call at a time. */
export function overHttp1(port, type, lanes) {
  const sockets = Array.from({ length: lanes }, () => createConnection({ port, host: "127.0.0.1", noDelay: true }));
  for (const socket of sockets) socket.on("error", noticed);
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\n`;
  return (user, room, lane) =>
    new Promise((resolve, reject) => {
      const socket = sockets[lane];
      if (socket.destroyed) return reject(new Error("the server has closed the connection"));
      let tail = "";
      const read = (data) => {
        tail = (tail + data.toString("latin1")).slice(-lastChunk.length);
        if (tail !== lastChunk) return;
        socket.off("data", read).off("close", reject);
        resolve();
      };
      socket.on("data", read).once("close", reject);
      const body = bodyFor(room);
      const rest = `x-user: ${user}\r\ncontent-length: ${body.length}\r\n\r\n`;
      socket.write(Buffer.concat([Buffer.from(head + rest), body]));
    });
}

const lastChunk = "\r\n0\r\n\r\n";

/** The calls that are under way fail; and at the end, when the server is killed, there are none. */
const noticed = () => {};
