import type { Transport } from "@connectrpc/connect";
import { functionIn, functionOr, invalid, numberIn, objectOf, oneOf } from "../check/invalid.js";
import type { Reason } from "../disconnect/disconnect.js";
import type { ConnectionState } from "../disconnect/inferred.js";
import { builtInReasons, isBuiltIn } from "../disconnect/reasons.js";
import type { ReasonMappings } from "../disconnect/spoken.js";
import type { Rules } from "../machine/state.js";
import { type Policies, resolvePolicies } from "../policy/policy.js";
import { checkRateLimit, type RateLimit } from "../policy/rate-limit.js";
import { type Clock, systemClock } from "../ports/clock.js";
import type { StreamEntry } from "../stream/method.js";
import { methodName } from "../stream/method-name.js";
import type { Extension } from "./extension.js";

/** An entry of `methods`. Made by `method(…)`. */
export type MethodEntry = StreamEntry;

interface Options {
  /** How single methods are followed. Server streams without an entry are subscriptions, reopened as they were. */
  readonly methods?: readonly MethodEntry[];
  /** Attempts of the whole session. `false`: no limit. @default { burst: 5, perMs: 60_000 } */
  readonly rateLimit?: RateLimit | false;
  /**
   * Gets new credentials: called at most once at a time, when a server answers "unauthenticated". `false`, or an error,
   * means signed out, and ends the session. @default none: "unauthenticated" ends the session
   */
  readonly refresh?: (signal: AbortSignal) => Promise<unknown>;
  /** A stream that stayed open for so many ms has recovered: backoff and attempts start anew. @default 10_000 */
  readonly healthyAfterMs?: number;
  /**
   * Ms to wait for response headers. Servers that send none before the first message need it long. It gives up the
   * call, not the connection: over HTTP/2, let the transport find dead connections by `pingIntervalMs`. @default no limit
   */
  readonly headersTimeoutMs?: number;
  /** For so many ms, a notice explains a stream that is cut. @default 10_000 */
  readonly noticeTtlMs?: number;
  /** The app's own `google.rpc.ErrorInfo`: domain, then reason, to a Disconnect reason. */
  readonly reasons?: ReasonMappings;
  /** What a bare abort means on this server, if it can only kick by cutting the stream. @default "aborted" */
  readonly abortedMeans?: Reason;
  /** The transport's `Http2SessionManager` (connect-node): tells a lost connection from a stream that was reset. */
  readonly connection?: { state(): ConnectionState };
  /**
   * Who takes part in the session: the page and its tabs (`browser({ account })` of `farewell/browser`), the server's control
   * stream (`controlStream()` of `farewell/control-stream`). @default none
   */
  readonly extensions?: readonly Extension[];
  /** Time and chance. @default the system's */
  readonly clock?: Clock;
  /** Gets what listeners, policy functions and `refresh` throw. @default globalThis.reportError, else console.error */
  readonly reportError?: (error: unknown) => void;
}

/** Options of `createSession`. `policies` is optional for as long as the app has no reasons of its own. */
export type SessionOptions = Options &
  (Partial<Policies> extends Policies ? { readonly policies?: Policies } : { readonly policies: Policies });

/** Options, checked and filled in. */
export interface Settings {
  readonly rules: Omit<Rules, "takesTurns">;
  readonly reasons: readonly string[];
  readonly mappings: ReasonMappings;
  readonly entries: ReadonlyMap<string, MethodEntry>;
  readonly refresh: ((signal: AbortSignal) => Promise<unknown>) | undefined;
  readonly headersTimeoutMs: number | undefined;
  readonly noticeTtlMs: number;
  readonly abortedMeans: Reason | undefined;
  readonly connection: { state(): ConnectionState } | undefined;
  readonly extensions: readonly Extension[];
  readonly clock: Clock;
  readonly reportError: (error: unknown) => void;
}

const known = [
  "policies",
  "methods",
  "rateLimit",
  "refresh",
  "healthyAfterMs",
  "headersTimeoutMs",
  "noticeTtlMs",
  "reasons",
  "abortedMeans",
  "connection",
  "extensions",
  "clock",
  "reportError",
] as const satisfies readonly (keyof SessionOptions)[];

/** @throws TypeError that names the option, what it was and what was expected. */
export function checkOptions(transport: Transport, options: SessionOptions): Settings {
  if (typeof transport?.stream !== "function") {
    throw invalid("transport", transport, "a Transport, such as createConnectTransport({ baseUrl })");
  }
  objectOf("options", options, known);
  const {
    policies = {},
    methods = [],
    rateLimit = { burst: 5, perMs: 60_000 },
    refresh,
    healthyAfterMs = 10_000,
    headersTimeoutMs,
    noticeTtlMs = 10_000,
    reasons: mappings = {},
    abortedMeans,
    connection,
    extensions = [],
    clock = systemClock,
    reportError = report,
  } = options as Options & { readonly policies?: Policies };
  const own = Object.keys(objectOf("policies", policies)).filter((reason) => !isBuiltIn(reason));
  const mapped = Object.entries(objectOf("reasons", mappings)).flatMap(([domain, table]) =>
    Object.entries(objectOf(`reasons.${domain}`, table) as ReasonMappings[string]).map(([name, mapping]) => {
      const reason = typeof mapping === "object" ? mapping.reason : mapping;
      if (isBuiltIn(reason) || own.includes(reason)) return reason;
      throw invalid(`reasons.${domain}.${name}`, reason, "a built-in reason, or one of your own that has a policy");
    }),
  );
  const reasons = [...new Set<string>([...builtInReasons, ...mapped])];
  const resolved = resolvePolicies(policies, reasons);
  if (!Array.isArray(methods)) throw invalid("methods", methods, "an array of method(…) entries");
  const entries = new Map<string, MethodEntry>();
  methods.forEach((entry: MethodEntry, index) => {
    const { method } = objectOf(`methods[${index}]`, entry) as unknown as MethodEntry;
    if (!method) throw invalid(`methods[${index}]`, entry, "an entry made by method(…)");
    const name = methodName(method);
    if (entries.has(name)) throw invalid(`methods[${index}]`, name, "one entry for each method");
    entries.set(name, entry);
  });
  functionOr("refresh", refresh);
  functionOr("reportError", reportError);
  if (connection !== undefined) functionIn("connection.state", connection?.state);
  if (!Array.isArray(extensions)) throw invalid("extensions", extensions, "an array of extensions, such as browser()");
  extensions.forEach((extension, index) => {
    functionIn(`extensions[${index}]`, extension);
  });
  for (const name of ["now", "random", "sleep"] as const) functionIn(`clock.${name}`, clock?.[name]);
  if (headersTimeoutMs !== undefined) numberIn("headersTimeoutMs", headersTimeoutMs, 1);
  if (abortedMeans !== undefined) oneOf("abortedMeans", abortedMeans, reasons);
  return {
    rules: {
      policies: resolved,
      rateLimit: rateLimit === false ? undefined : checkRateLimit("rateLimit", rateLimit),
      healthyAfterMs: numberIn("healthyAfterMs", healthyAfterMs, 0),
      canRefresh: refresh !== undefined,
      timesHeaders: headersTimeoutMs !== undefined,
    },
    reasons,
    mappings,
    entries,
    refresh,
    headersTimeoutMs,
    noticeTtlMs: numberIn("noticeTtlMs", noticeTtlMs, 0),
    abortedMeans,
    connection,
    extensions,
    clock,
    reportError: (error) => {
      try {
        reportError(error);
      } catch {} // there is nobody left to tell
    },
  };
}

function report(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error); // Node has no reportError, and throwing later would end the process
}

/** The options may be left out as long as the app has no reasons of its own. */
export type SessionArguments =
  Partial<Policies> extends Policies ? [options?: SessionOptions] : [options: SessionOptions];
