import { toldByNode } from "#transport-errors";
import type { ConnectionState } from "../ports/connection-state.js";
import type { Source } from "./disconnect.js";
import { type BuiltInReason, vocabulary } from "./reasons.js";

// What a status code, an HTTP status or a transport's error lets us conclude where the server said nothing else.
// The tables are measured: connect-node 2.1 and 2.2, connect-web in Chromium, Firefox and Node, against servers and
// proxies that end streams in every way we know. Only the last four reasons can be concluded from them.

/** A conclusion, or `undefined` where the error is not a disconnect, or not at a first opening. */
export type Inferred = { readonly reason: InferredReason; readonly source: Source; readonly said?: true } | undefined;
type InferredReason = Extract<BuiltInReason, "unauthenticated" | "maintenance" | "throttled" | "aborted" | "network">;

/** Where a stream was open before: it may pass, or be for good. */
export const inDoubt: Inferred = { reason: "aborted", source: "unknown" };

/** An answer to the application, not the loss of a stream. Numbers of `Code`: its names would be in every bundle. */
const answers: ReadonlySet<number> = new Set([
  3, // InvalidArgument
  5, // NotFound
  6, // AlreadyExists
  7, // PermissionDenied
  9, // FailedPrecondition
  10, // Aborted, sent by a server: a transaction to be repeated by the app
  11, // OutOfRange
  12, // Unimplemented
  15, // DataLoss: "unrecoverable" (google.rpc.Code)
]);

/**
 * A message over a limit of the server's, of a proxy's or of our own transport's, as grpc-go, grpc-java, grpc-js, grpcio,
 * grpc-dotnet, tonic and Connect say it: the next attempt would meet the same limit.
 */
const tooLarge =
  /\b(message|metadata) (size|larger|too large|length too|with a size|that decompresses|after |exceeds .*size)/i;

/** Whether it is ResourceExhausted, and no throttling. */
export function isTooLarge(code: number, text: string): boolean {
  return code === vocabulary.throttled.status && tooLarge.test(text);
}

/** A status that a server sent. `retry`: with a RetryInfo or a retry header. */
export function fromStatus(code: number, retry: boolean): Inferred {
  const { unauthenticated, throttled, maintenance } = vocabulary;
  const source = "status";
  if (answers.has(code)) return undefined;
  if (code === unauthenticated.status) return { reason: "unauthenticated", source, said: true };
  if (code === throttled.status) return { reason: "throttled", source, said: true };
  if (code === maintenance.status)
    return retry ? { reason: "maintenance", source, said: true } : { reason: "network", source };
  return { reason: "aborted", source }; // Canceled, Unknown, DeadlineExceeded, Internal, and codes that nobody defines
}

/** An HTTP status in place of a response. Nothing is said by it: a proxy or a cache may have made it up. */
export function fromHttp(status: number, retry: boolean): Inferred {
  const found = (reason: InferredReason): Inferred => ({ reason, source: "http" });
  if (status === 401) return found("unauthenticated");
  if (status === 429) return found("throttled");
  if (status === 503 && retry) return found("maintenance");
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
  if (code === vocabulary.network.status) return found("network");
  const lost = connection === "closed" || connection === "error";
  if (brokenResponse.test(text)) return found(lost ? "network" : "aborted");
  if (causes.some((cause) => cause instanceof TypeError && fetchFailed.test(cause.message))) return found("network");
  return undefined;
}

/**
 * DeadlineExceeded: the transport's own time for a call is over. NotFound to OutOfRange, and Unauthenticated: no transport makes
 * them up, so an interceptor of the app has. A request that cannot be encoded never went out.
 */
export function isOurs(code: number, text: string): boolean {
  return [4, 5, 6, 7, 8, 9, 11, 16].includes(code) || /^(serialize|cannot encode) /.test(text);
}

/** A response that ended without, or with an unreadable, status: a reset without a code, or a proxy hiding one. */
const brokenResponse =
  /^(protocol error: )?(missing (status|trailer|End|response)|incomplete env|promised \d|received extra |extra data )|^(failed to parse End|invalid (end stream|base64)|unexpected end |Premature |URI )/;

/** What fetch says in Chromium, Firefox, Safari, Node, Deno, Bun, React Native and Workers when the path fails. */
const fetchFailed =
  /^(failed to fetch|fetch failed|load failed|terminated|(a )?network ?error|network (request failed|connection lost)|error in (input|body) stream|the (network connection was lost|internet connection appears|request timed out|socket connection was closed)|could not connect|connection (closed|error)|a server with the specified hostname)/i;
