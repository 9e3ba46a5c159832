import { ConnectError, decodeBinaryHeader } from "@connectrpc/connect";
import { messageOf, textIn, valueIn } from "./details.js";

/**
 * The error that headers and trailers hold, where Connect has taken a response for complete: it believes an OK in
 * `grpc-status-details-bin`, also an empty one, whatever `grpc-status` itself says.
 */
export function hiddenError(header: HeadersInit | undefined, trailer: Headers): ConnectError | undefined {
  const metadata = new Headers(header);
  for (const [name, value] of trailer) metadata.set(name, value);
  const status = metadata.get("grpc-status") ?? "0";
  if (Number(status) === 0) return undefined;
  let message = metadata.get("grpc-message") ?? "";
  try {
    message = decodeURIComponent(message);
  } catch {} // a stray percent sign
  const error = new ConnectError(message, Number(status) || 13, metadata);
  try {
    error.details = messageOf(decodeBinaryHeader(metadata.get("grpc-status-details-bin") ?? ""))
      .filter(([number]) => number === 3)
      .map(([, any]) => messageOf(any))
      .map((any) => ({ type: (textIn(any, 1) ?? "").replace(/.*\//, ""), value: valueIn(any, 2) as Uint8Array }));
  } catch {} // what cannot be decoded was not said
  return error;
}
