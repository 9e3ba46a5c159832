import { ConnectError } from "@connectrpc/connect";
import { systemClock } from "../ports/clock.js";
import type { ConnectionState } from "../ports/connection-state.js";
import type { Pause } from "../ports/pause.js";
import { httpStatusOf, isLocal, isReplaced } from "./answer.js";
import { longestText, made } from "./border.js";
import { detailsOf } from "./details.js";
import type { Disconnect, DisconnectInit, LocalizedText, Reason, Source } from "./disconnect.js";
import { hiddenError } from "./hidden-error.js";
import { fromHttp, fromStatus, fromTransport, type Inferred, inDoubt, isOurs, isTooLarge } from "./inferred.js";
import { rowOf } from "./reasons.js";
import { fieldsFor, type ReasonMappings, type Said, wordsOf } from "./spoken.js";

/** What is known about one ending. */
export type Evidence =
  /**
   * Something was thrown. `connection`: `Http2SessionManager.state()`, read in the same tick. `canceled`: by us. `unary`: by
   * a call that is no stream, so that nobody was put out by cutting it. `header`: of the response, where one had begun.
   */
  | {
      readonly error: unknown;
      readonly connection?: ConnectionState | undefined;
      readonly canceled?: boolean;
      readonly unary?: boolean;
      readonly header?: Headers | undefined;
    }
  /** The stream ended without an error. `endless`: its method has no natural end. `header`: of the response. */
  | { readonly trailer: Headers; readonly endless?: boolean; readonly header?: Headers | undefined }
  /** A watchdog of ours ran out. */
  | { readonly silent: string }
  /** We let go of the stream ourselves, because the device or the page cannot go on. */
  | { readonly paused: Pause };

/** An HTTP status, and the reason that it stands for. */
export interface HttpStatusMeans {
  readonly [status: number]: Reason;
}

/** Options of `classify`: those of a session that have to do with names. */
export interface ClassifyOptions {
  /** Epoch ms; relative times that the server gave count from here. @default the system's time */
  readonly now?: number;
  /** An app's own ErrorInfo domains and reasons. */
  readonly reasons?: ReasonMappings | undefined;
  /**
   * What it means on this server if a stream is reset without a status. For servers that can only kick by cutting the
   * stream. @default "aborted"
   */
  readonly abortedMeans?: Reason | undefined;
  /** What an HTTP error means on this server, by its status: `{ 403: "unauthenticated" }`. @default see the guide */
  readonly httpStatusMeans?: HttpStatusMeans | undefined;
  /** A reason that was announced and still counts. */
  readonly notice?: DisconnectInit | undefined;
  /**
   * What was open before: this stream, or another of its session. What is no disconnect at a first opening may pass then,
   * and is `aborted`, with the source `"unknown"`: what a transport makes up itself; for the stream that was open, also an
   * HTTP error or a web page. @default undefined: nothing was
   */
  readonly wasOpen?: "stream" | "session" | undefined;
}

/**
 * Names the way in which a stream ended, or answers `undefined` for what is not a disconnect: an error of the
 * application, a permanent misconfiguration, our own cancellation, or a stream that is simply complete.
 *
 * Evidence counts in the order of trust: our typed detail, `google.rpc.ErrorInfo`, the metadata mirror, an announced
 * notice, the status code, the HTTP status, the transport's error. `kicked`, `banned` and `superseded` come from the
 * server's words alone. Never throws.
 *
 * @example
 * classify({ error: new ConnectError("kicked", Code.Internal) })?.reason // "aborted"
 */
export function classify(evidence: Evidence, options: ClassifyOptions = {}): Disconnect | undefined {
  try {
    return name(evidence, options);
  } catch {
    return undefined; // an error whose own getters throw tells us nothing
  }
}

function name(evidence: Evidence, given: ClassifyOptions): Disconnect | undefined {
  // A stream is put out by cutting it: neither a clean end nor a call that fails means that.
  const options = "error" in evidence && !evidence.unary ? given : { ...given, abortedMeans: undefined };
  if ("silent" in evidence) {
    const inferred = { reason: "network", source: "liveness" } as const;
    return conclude(inferred, nothingSaid, evidence.silent, undefined, options);
  }
  if ("paused" in evidence) return pausedBy(evidence.paused);
  const now = options.now ?? systemClock.now();
  if ("trailer" in evidence) {
    const error = hiddenError(evidence.header, evidence.trailer);
    if (error) return name({ error }, options);
    const words = wordsOf(detailsOf([]), evidence.trailer, now, options.reasons);
    return conclude(
      evidence.endless ? endOfEndless : undefined,
      words,
      "the stream ended without a reason",
      undefined,
      options,
    );
  }
  const { error } = evidence;
  if (evidence.canceled) return undefined;
  if (!(error instanceof ConnectError)) {
    if (!(error instanceof Error)) return undefined;
    const told = fromTransport(0, error.message, causesOf(error), evidence.connection);
    return conclude(told ?? (options.wasOpen && inDoubt), nothingSaid, error.message, error, options);
  }
  const text = error.rawMessage;
  const words = wordsOf(detailsOf(error.details), error.metadata, now, options.reasons);
  return conclude(
    infer(error, evidence, words, options),
    words,
    httpStatusOf(text) ? "" : text,
    error,
    options,
    error.code,
  );
}

const meaningOf: { readonly [P in Pause]: string } = {
  offline: "the device is offline",
  hidden: "the page is hidden",
  frozen: "the page was put aside",
  asleep: "the device was asleep",
};
/** The path is not gone: we have let go of it. */
export function pausedBy(why: Pause): Disconnect {
  return local("network", meaningOf[why]);
}

/** What no server has to do with. */
export function local(reason: "network" | "unauthenticated", message: string): Disconnect {
  const common = { localized: undefined, said: false, source: "local", cause: undefined } as const;
  return made(fieldsFor(reason, {}), { ...common, reason, message });
}

const endOfEndless: Inferred = { reason: "aborted", source: "transport" };
const nothingSaid: Said = { spoken: undefined, localized: undefined, retry: false, retryAt: undefined };

function infer(
  error: ConnectError,
  evidence: Thrown,
  { retry }: Said,
  { wasOpen, httpStatusMeans = {} }: ClassifyOptions,
): Inferred | { readonly reason: Reason; readonly source: "http" } {
  const { code } = error;
  const text = error.rawMessage.slice(0, longestText);
  if (isTooLarge(code, text)) return undefined;
  const status = httpStatusOf(text);
  const meant = httpStatusMeans[status];
  if (meant !== undefined) return { reason: meant, source: "http" };
  if (isReplaced(error, evidence.header))
    return fromHttp(status, retry) ?? (wasOpen === "stream" ? inDoubt : undefined);
  if (!isLocal(error)) return fromStatus(code, retry);
  return (
    fromTransport(code, text, causesOf(error), evidence.connection) ??
    (wasOpen && !isOurs(code, text) ? inDoubt : undefined)
  );
}

function conclude(
  inferred: ReturnType<typeof infer>,
  words: Said,
  text: string,
  cause: unknown,
  { notice, abortedMeans }: ClassifyOptions,
  code?: number,
): Disconnect | undefined {
  const make = (
    reason: Reason,
    source: Source,
    said: boolean,
    fields: object,
    message: string = text,
    localized: LocalizedText | undefined = words.localized,
  ) => made(fields, { reason, message, localized, said, source, cause });
  const { spoken, retryAt } = words;
  if (spoken) return make(spoken.reason, spoken.source, true, spoken.fields);
  const cut = inferred?.reason === "aborted" || inferred?.reason === "network";
  if (notice && (cut || (code !== undefined && code === rowOf(notice.reason)?.status))) {
    const { reason, message = "", localized, ...fields } = notice;
    return make(reason, "notice", true, fieldsFor(reason, fields), message, localized);
  }
  if (!inferred) return undefined;
  // A status is an answer, and no abort: handlers that throw send one.
  if (inferred.reason === "aborted" && inferred.source === "transport" && abortedMeans !== undefined) {
    // The transport's text speaks of a reset, not of what the app takes it for.
    return make(abortedMeans, inferred.source, false, fieldsFor(abortedMeans, {}), "");
  }
  return make(inferred.reason, inferred.source, "said" in inferred, fieldsFor(inferred.reason, { retryAt }));
}

type Thrown = Extract<Evidence, { readonly error: unknown }>;

/** The error and its chain of causes; the bound also ends a cyclic chain. */
function causesOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let cause = error; cause instanceof Error && chain.length < 8; cause = cause.cause) chain.push(cause);
  return chain;
}
