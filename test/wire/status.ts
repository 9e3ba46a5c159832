import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Fields, Protocol, Status } from "./script.js";

// How each protocol writes down a status. By hand, not with Connect's own encoders: a mistake that encoder and decoder
// have in common must not cancel itself out.

/** The prefix of every message on the wire: one byte of flags, four bytes of length (all three protocols). */
export function envelope(flags: number, bytes: Uint8Array): Uint8Array {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flags, 0);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** The last envelope of a Connect stream, from its JSON text. */
export function connectEndStream(json: string): Uint8Array {
  return envelope(0b10, Buffer.from(json));
}

/** The last envelope of a gRPC-Web response: the trailers, as an HTTP/1.1 header block. */
export function grpcWebTrailers(fields: Fields): Uint8Array {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return envelope(0x80, Buffer.from(lines.join("")));
}

export function contentType(protocol: Protocol): string {
  return protocol === "connect" ? "application/connect+proto" : `application/${protocol}+proto`;
}

/** The status as JSON of a Connect end-of-stream. */
export function connectJson({ code, message, details, metadata = {} }: Status): string {
  const error = {
    code: connectCodes[code] ?? `code_${code}`,
    message,
    details: details?.map(({ type, value }) => ({ type, value: unpadded(value) })),
  };
  return JSON.stringify({
    ...(code !== 0 && { error }),
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, [value]])),
  });
}

/** The status as trailers of gRPC and gRPC-Web. */
export function grpcFields({ code, message, details, metadata = {} }: Status): Fields {
  return {
    "grpc-status": String(code),
    "grpc-message": encodeURIComponent(message),
    ...(details && { "grpc-status-details-bin": unpadded(rpcStatus(code, message, details)) }),
    ...metadata,
  };
}

/** A `google.rpc.Status`. */
function rpcStatus(code: number, message: string, details: NonNullable<Status["details"]>): Uint8Array {
  const writer = new BinaryWriter().tag(1, 0).int32(code).tag(2, 2).string(message);
  for (const { type, value } of details) {
    const any = new BinaryWriter().tag(1, 2).string(`type.googleapis.com/${type}`).tag(2, 2).bytes(value);
    writer.tag(3, 2).bytes(any.finish());
  }
  return writer.finish();
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

const connectCodes: { readonly [code: number]: string } = {
  1: "canceled",
  2: "unknown",
  3: "invalid_argument",
  4: "deadline_exceeded",
  5: "not_found",
  6: "already_exists",
  7: "permission_denied",
  8: "resource_exhausted",
  9: "failed_precondition",
  10: "aborted",
  11: "out_of_range",
  12: "unimplemented",
  13: "internal",
  14: "unavailable",
  15: "data_loss",
  16: "unauthenticated",
};
