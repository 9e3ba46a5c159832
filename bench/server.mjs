import { createServer } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { toConnectError } from "farewell/server";
import { ChatService, MessageSchema, SubscribeRequestSchema } from "./chat.mjs";

// A server in a process of its own, started by child.mjs. What it does with a subscription is in the room's name:
//   count/<messages>/<bytes>        sends so many messages, then ends
//   wait                            sends one message, then nothing
//   silence                         sends nothing, not even headers
//   tick/<number>/<interval in ms>  sends messages until it is told to kick the stream of that number

const kicks = new Map();

async function* subscribe({ room, afterId }, { signal }) {
  const [behaviour, first, second] = room.split("/");
  switch (behaviour) {
    case "count": {
      const payload = new Uint8Array(Number(second));
      for (let id = 1; id <= Number(first); id++) yield { id, text: "hello", payload };
      return;
    }
    case "wait":
      yield { id: afterId + 1 };
      await hold(signal);
      return;
    case "silence":
      await hold(signal);
      return;
    case "tick": {
      const told = new AbortController();
      kicks.set(Number(first), () => told.abort());
      const either = AbortSignal.any([signal, told.signal]);
      for (let id = afterId + 1; !either.aborted; id++) {
        yield { id, text: "tick" };
        await sleep(Number(second), undefined, { signal: either }).catch(() => {}); // the loop looks at the signal
      }
      // The time of the throw travels as the app's own code.
      if (told.signal.aborted) throw toConnectError({ reason: "kicked", code: String(process.hrtime.bigint()) });
      return;
    }
    default:
      throw new Error(`no such room: ${room}`);
  }
}

function hold(signal) {
  return sleep(2 ** 31 - 1, undefined, { signal }).catch(() => {}); // until the client is gone
}

process.on("message", ({ kick }) => kicks.get(kick)?.());
process.on("disconnect", () => process.exit());

const connect = createServer(connectNodeAdapter({ routes: (router) => router.service(ChatService, { subscribe }) }));

// The same messages, encoded before: a server that costs so little that the client is all that is measured.
const flood = createServer();
flood.on("stream", async (stream, headers) => {
  stream.on("error", () => {}); // the client left early
  const body = Buffer.concat(await stream.toArray());
  const [, messages, bytes] = fromBinary(SubscribeRequestSchema, body.subarray(5)).room.split("/").map(Number);
  const type = headers["content-type"];
  const answer = encode(messages, bytes);
  if (type.startsWith("application/grpc")) {
    stream.respond({ ":status": 200, "content-type": type }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(answer);
  } else {
    stream.respond({ ":status": 200, "content-type": type });
    stream.write(answer);
    stream.end(envelope(2, Buffer.from("{}")));
  }
});

const encoded = new Map();

function encode(messages, bytes) {
  const key = `${messages}/${bytes}`;
  if (!encoded.has(key)) {
    const payload = new Uint8Array(bytes);
    const parts = Array.from({ length: messages }, (_, index) =>
      envelope(0, toBinary(MessageSchema, create(MessageSchema, { id: index + 1, text: "hello", payload }))),
    );
    encoded.set(key, Buffer.concat(parts));
  }
  return encoded.get(key);
}

function envelope(flags, data) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flags, 0);
  prefix.writeUInt32BE(data.length, 1);
  return Buffer.concat([prefix, data]);
}

function listen(server, port) {
  return new Promise((listening) => {
    server.listen(port, "127.0.0.1", () => listening(server.address().port));
  });
}
const ports = { connect: await listen(connect, Number(process.argv[2])), flood: await listen(flood, 0) };
process.send({ ports, at: String(process.hrtime.bigint()) });
