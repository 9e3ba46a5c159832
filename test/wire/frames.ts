import type { Fields } from "./script.js";

// The frames of HTTP/2 (RFC 9113) that the scripted server needs. Written by hand because node:http2 refuses to send
// most of what a broken server or proxy sends.

export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export const frameType = {
  data: 0x0,
  headers: 0x1,
  rstStream: 0x3,
  settings: 0x4,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
} as const;

/** END_STREAM of DATA and HEADERS, ACK of SETTINGS and PING. */
export const firstFlag = 0x1;
const endHeaders = 0x4;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Reads the frames that are complete; `rest` are the bytes of the one that is not. */
export function framesIn(received: Buffer): { readonly frames: readonly Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  while (received.length - at >= 9) {
    const end = at + 9 + received.readUIntBE(at, 3);
    if (end > received.length) break;
    frames.push({
      type: received.readUInt8(at + 3),
      flags: received.readUInt8(at + 4),
      streamId: received.readUInt32BE(at + 5) & 0x7fffffff,
      payload: received.subarray(at + 9, end),
    });
    at = end;
  }
  return { frames, rest: received.subarray(at) };
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = empty): Buffer {
  if (payload.length > 16_384) throw new RangeError(`a frame holds at most 16384 bytes, not ${payload.length}`);
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export function headersFrame(streamId: number, fields: Fields, endStream: boolean): Buffer {
  const block = Buffer.concat(Object.entries(fields).map(([name, value]) => literal(name, value)));
  return frame(frameType.headers, endHeaders | (endStream ? firstFlag : 0), streamId, block);
}

export function rstStream(streamId: number, code: number): Buffer {
  return frame(frameType.rstStream, 0, streamId, uint32(code));
}

export function goaway(lastStreamId: number, code: number, debug: string): Buffer {
  return frame(frameType.goaway, 0, 0, Buffer.concat([uint32(lastStreamId), uint32(code), Buffer.from(debug)]));
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(frameType.windowUpdate, 0, streamId, uint32(increment));
}

const empty = new Uint8Array();

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header field as a never-indexed literal (RFC 7541, section 6.2.3): needs neither tables nor Huffman codes. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x10]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([length(bytes.length), bytes]);
}

/** An integer with a 7-bit prefix (RFC 7541, section 5.1). */
function length(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
