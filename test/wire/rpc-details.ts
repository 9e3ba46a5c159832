import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { StatusDetail } from "./script.js";

// The details of google.rpc, as servers that know nothing of this package send them. Written by hand, so that a wrong
// field number in our own subset shows.

export function errorInfo(reason: string, domain: string): StatusDetail {
  const value = new BinaryWriter().tag(1, 2).string(reason).tag(2, 2).string(domain).finish();
  return { type: "google.rpc.ErrorInfo", value };
}

export function retryInfo(seconds: number): StatusDetail {
  const delay = new BinaryWriter().tag(1, 0).int64(seconds).finish();
  return { type: "google.rpc.RetryInfo", value: new BinaryWriter().tag(1, 2).bytes(delay).finish() };
}

export function localizedMessage(locale: string, message: string): StatusDetail {
  const value = new BinaryWriter().tag(1, 2).string(locale).tag(2, 2).string(message).finish();
  return { type: "google.rpc.LocalizedMessage", value };
}
