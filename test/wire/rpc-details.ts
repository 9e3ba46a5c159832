import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Fields, StatusDetail } from "./script.js";

// Error details, as servers in other languages send them. Written by hand, so that a wrong field number of ours shows.

export function errorInfo(reason: string, domain: string, metadata: Fields = {}): StatusDetail {
  const writer = new BinaryWriter().tag(1, 2).string(reason).tag(2, 2).string(domain);
  for (const [key, value] of Object.entries(metadata)) {
    writer.tag(3, 2).bytes(new BinaryWriter().tag(1, 2).string(key).tag(2, 2).string(value).finish());
  }
  return { type: "google.rpc.ErrorInfo", value: writer.finish() };
}

export function retryInfo(seconds: number): StatusDetail {
  return { type: "google.rpc.RetryInfo", value: message(1, secondsOf(seconds)) };
}

export function localizedMessage(locale: string, message: string): StatusDetail {
  const value = new BinaryWriter().tag(1, 2).string(locale).tag(2, 2).string(message).finish();
  return { type: "google.rpc.LocalizedMessage", value };
}

/** `farewell.v1.Disconnect`: the number of the reason, and the fields of its message. */
export function disconnect(reason: number, fields: Uint8Array = new Uint8Array()): StatusDetail {
  return { type: "farewell.v1.Disconnect", value: message(reason, fields) };
}

/** A string field. */
export function text(field: number, value: string): Uint8Array {
  return new BinaryWriter().tag(field, 2).string(value).finish();
}

/** A field that is a message. */
export function message(field: number, value: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(field, 2).bytes(value).finish();
}

/** A google.protobuf.Duration or Timestamp of whole seconds. */
export function secondsOf(seconds: number): Uint8Array {
  return new BinaryWriter().tag(1, 0).int64(seconds).finish();
}
