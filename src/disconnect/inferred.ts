import { Code } from "@connectrpc/connect";
import { toldByNode } from "#transport-errors";
import type { ConnectionState } from "../ports/connection-state.js";
import type { Source } from "./disconnect.js";
import type { BuiltInReason } from "./reasons.js";

// What a status code, an HTTP status or a transport's error lets us conclude where the server said nothing else.
// The tables are measured: connect-node 2.1 and 2.2, connect-web in Chromium, Firefox and Node, against servers and
// proxies that end streams in every way we know. Only the last four reasons can be concluded from them.

/** A conclusion, or `undefined` where the error is not a disconnect. */
export type Inferred = { readonly reason: InferredReason; readonly source: Source; readonly said?: true } | undefined;
type InferredReason = Extract<BuiltInReason, "unauthenticated" | "maintenance" | "throttled" | "aborted" | "network">;

/** A status that a server sent. `retry`: with a RetryInfo or a retry header. */
export function fromStatus(code: number, retry: boolean): Inferred {
  switch (code) {
    case Code.Unauthenticated:
      return { reason: "unauthenticated", source: "status", said: true };
    case Code.ResourceExhausted:
      return { reason: "throttled", source: "status", said: true };
    case Code.Unavailable:
      return retry ? { reason: "maintenance", source: "status", said: true } : { reason: "network", source: "status" };
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.AlreadyExists:
    case Code.PermissionDenied:
    case Code.FailedPrecondition:
    case Code.Aborted: // sent by a server: a transaction to be repeated by the app, not a stream to be reopened
    case Code.OutOfRange:
    case Code.Unimplemented:
    case Code.DataLoss: // "unrecoverable" (google.rpc.Code)
      return undefined;
    default: // Canceled, Unknown, DeadlineExceeded, Internal, and codes that no specification defines
      return { reason: "aborted", source: "status" };
  }
}

/** An HTTP status in place of a response, from a server or from a proxy before it. */
export function fromHttp(status: number, retry: boolean): Inferred {
  const found = (reason: InferredReason, said?: true): Inferred => ({ reason, source: "http", ...(said && { said }) });
  if (status === 401) return found("unauthenticated", true);
  if (status === 429) return found("throttled", true);
  if (status === 503 && retry) return found("maintenance", true);
  if (networkStatuses.has(status) || (status >= 520 && status <= 530)) return found("network"); // 520-530: Cloudflare
  if (status === 500) return found("aborted");
  return undefined;
}

// 408 and 499: a proxy closed an idle request; 598 and 599: proxies' own read and connect time-outs.
const networkStatuses = new Set([408, 499, 502, 503, 504, 598, 599]);

/** An error that a transport made itself: no status reached us. `causes` is the error and what caused it. */
export function fromTransport(
  code: number,
  text: string,
  causes: readonly unknown[],
  connection: ConnectionState | undefined,
): Inferred {
  const found = (reason: InferredReason): Inferred => ({ reason, source: "transport" });
  const told = toldByNode(text, causes, connection);
  if (told) return told === "permanent" ? undefined : found(told);
  if (code === Code.Unavailable) return found("network");
  const lost = connection === "closed" || connection === "error";
  if (brokenResponse.test(text)) return found(lost ? "network" : "aborted");
  if (causes.some((cause) => cause instanceof TypeError && fetchFailed.test(cause.message))) return found("network");
  return undefined;
}

/** A response that ended without, or with an unreadable, status: a reset without a code, or a proxy hiding one. */
const brokenResponse =
  /^(protocol error: )?(missing (status|trailer|EndStreamResponse|response body)|incomplete envelope|promised \d+ bytes|received extra |extra data for trailers-only)|^failed to parse EndStreamResponse|^invalid end stream|^unexpected end flag|^Premature close|^URI malformed|^invalid base64 string/;

/** What fetch says in Chromium, Firefox, Safari, Node, Deno, Bun, React Native and Workers when the path fails. */
const fetchFailed =
  /^(failed to fetch|fetch failed|load failed|terminated|(a )?network ?error|network (request failed|connection lost)|error in (input|body) stream|error sending request|the (network connection was lost|internet connection appears|request timed out|socket connection was closed)|could not connect|connection (closed|error)|a server with the specified hostname)/i;
