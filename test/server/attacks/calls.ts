import { brotliCompressSync, gzipSync } from "node:zlib";
import type { Fields } from "../../wire/script.js";
import { envelope } from "../../wire/status.js";
import { type Attack, each, persist, repeat } from "./attack.js";
import { callFrame, connectHttp2, dataFrame } from "./http2.js";
import { connect, type Raw } from "./raw.js";
import type { Siege } from "./siege.js";

// Attacks by calls, and by connections without any: the same over both versions of HTTP.

/** A connection with a call whose body has so far this much, and does not end unless it is said to. */
async function call(siege: Siege, method: string, body: Uint8Array, fields: Fields = {}, end = false): Promise<Raw> {
  if (siege.httpVersion === "2") {
    const raw = await connectHttp2(siege);
    await raw.write(callFrame(1, method, fields));
    for (let at = 0; at < body.length; at += 16_384) {
      await raw.write(dataFrame(1, body.subarray(at, at + 16_384), end && at + 16_384 >= body.length));
    }
    return raw;
  }
  const raw = await connect(siege);
  await raw.write(Buffer.concat([Buffer.from(headOf(method, fields, body.length + (end ? 0 : 1_000))), body]));
  return raw;
}

/** The first lines of a call over HTTP/1.1. */
export function headOf(method: string, fields: Fields = {}, length = 0): string {
  const type = method === "Say" ? "application/proto" : "application/connect+proto";
  const all = { host: "127.0.0.1", "content-type": type, "content-length": length, user: "eve", ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /chat.v1.ChatService/${method} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

const bombBytes = 16 * 1024 * 1024;
let bombs: { readonly gzip: Buffer; readonly br: Buffer } | undefined;

/** 16 MB of zeros, made small. */
function bomb(encoding: "gzip" | "br"): Buffer {
  const zeros = Buffer.alloc(bombBytes);
  bombs ??= { gzip: gzipSync(zeros), br: brotliCompressSync(zeros) };
  return bombs[encoding];
}

function zipBomb(encoding: "gzip" | "br", kind: "unary" | "stream"): Attack {
  return {
    tries: `${kind === "unary" ? "unary calls" : "streams"} whose message is 16 MB once it is unpacked (${encoding})`,
    quick: 1,
    full: 20,
    async run(siege, tries) {
      const packed = bomb(encoding);
      await repeat(tries, async () => {
        const raw =
          kind === "unary"
            ? await call(siege, "Say", packed, { "content-encoding": encoding }, true)
            : await call(siege, "Upload", envelope(1, packed), { "connect-content-encoding": encoding }, true);
        await answered(raw);
        raw.close();
      });
      return [];
    },
  };
}

/** The server has said something beyond its settings, or has closed. */
async function answered(raw: Raw): Promise<void> {
  const until = performance.now() + 20_000;
  while (!raw.closed && performance.now() < until && raw.received().length < 90) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const callAttacks = {
  "slow bodies of unary calls": {
    tries: "connections with a unary call whose body does not end",
    quick: 50,
    full: 1_000,
    run: (siege, tries) => each(tries, () => call(siege, "Say", Buffer.of(0x0a))),
  },
  "slow bodies of streams": {
    tries: "connections with a stream whose first message does not end",
    quick: 50,
    full: 1_000,
    run: (siege, tries) => each(tries, () => call(siege, "Subscribe", Buffer.of(0, 0, 0))),
  },
  "a length of 4 GB": {
    tries: "connections with a message that says it has 4 GB, of which 64 kB come",
    quick: 20,
    full: 100,
    run: (siege, tries) =>
      each(tries, () =>
        call(siege, "Upload", Buffer.concat([Buffer.of(0, 0xff, 0xff, 0xff, 0xff), Buffer.alloc(60_000)]), {
          "content-length": "4294967300",
        }),
      ),
  },
  "half-open sockets": {
    tries: "connections on which nothing is ever said",
    quick: 100,
    full: 2_000,
    run: (siege, tries) => each(tries, () => connect({ ...siege, tls: false })),
  },
  expectations: {
    tries: "calls that wait for 100 Continue, and never send their body",
    quick: 50,
    full: 1_000,
    run: (siege, tries) => each(tries, () => call(siege, "Say", Buffer.alloc(0), { expect: "100-continue" })),
  },
  "zip bombs, unary, gzip": zipBomb("gzip", "unary"),
  "zip bombs, unary, brotli": zipBomb("br", "unary"),
  "zip bombs, stream, gzip": zipBomb("gzip", "stream"),
  "zip bombs, stream, brotli": zipBomb("br", "stream"),
  "session names": {
    tries: "streams that are left at once, each with a name of a session of its own",
    quick: 200,
    full: 4_000,
    run: (siege, tries) => {
      const fields = (index: number) => ({ "farewell-session": `session-${index}-${"x".repeat(60)}` });
      const body = Buffer.alloc(5);
      if (siege.httpVersion === "2") {
        return persist(
          tries,
          () => connectHttp2(siege),
          (n, index) =>
            Buffer.concat([callFrame(2 * n + 1, "Upload", fields(index)), dataFrame(2 * n + 1, body, true)]),
        );
      }
      return persist(
        tries,
        () => connect(siege),
        (_, index) => Buffer.concat([Buffer.from(headOf("Upload", fields(index), 5)), body]),
      );
    },
  },
} as const satisfies { readonly [name: string]: Attack };
