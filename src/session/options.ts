import type { Transport } from "@connectrpc/connect";
import { checkSession } from "#check";
import type { HttpStatusMeans } from "../disconnect/classify.js";
import type { Reason } from "../disconnect/disconnect.js";
import { builtInReasons } from "../disconnect/reasons.js";
import type { ReasonMappings } from "../disconnect/spoken.js";
import type { Rules } from "../machine/state.js";
import { finiteMs } from "../policy/finite-ms.js";
import { defaultPolicies, type Policies, resolvePolicies } from "../policy/policy.js";
import { defaultRateLimit, type RateLimit } from "../policy/rate-limit.js";
import { type Clock, systemClock } from "../ports/clock.js";
import type { ConnectionState } from "../ports/connection-state.js";
import { lastResort } from "../ports/guarded.js";
import type { StreamEntry } from "../stream/method.js";
import { methodName } from "../stream/method-name.js";
import type { Extension } from "./extension.js";
import type { Refresh } from "./refresh.js";
import type { RetriedEntry } from "./retried-entry.js";

/** An entry of `methods`. Made by `method(…)`, `retried(…)`, `retriedIdempotent()`, `reauthenticated(…)` or `signsIn(…)`. */
export type MethodEntry = StreamEntry | RetriedEntry;

interface Options {
  /**
   * How single methods are followed. Server streams without an entry are subscriptions, reopened as they were. Unary calls
   * without an entry are sent once.
   */
  readonly methods?: readonly MethodEntry[];
  /** Attempts of the whole session. `false`: no limit. @default { burst: 5, perMs: 60_000 } */
  readonly rateLimit?: RateLimit | false;
  /**
   * Gets new credentials: called when a server answers "unauthenticated", at most once at a time. `false` means signed out,
   * and ends the session. What it throws is tried again by the policy of `network`, and told by `refreshFailed`. Where it
   * answers with `{ expiresAt: Date }`, it is called ahead of that time. @default none: "unauthenticated" ends the session
   */
  readonly refresh?: Refresh;
  /** Ms after which a `refresh` without an answer is given up, and tried again. @default 30_000 */
  readonly refreshTimeoutMs?: number;
  /**
   * When the credentials of now end, as far as `refresh` has not said so: those that a login begins with. Asked when the
   * session is made, after each refresh, and after `restart()`. @default not known
   */
  readonly expiresAt?: () => Date | undefined;
  /** A stream that stayed open for so many ms has recovered: backoff and attempts start anew. @default 10_000 */
  readonly healthyAfterMs?: number;
  /**
   * Ms to wait for response headers. Servers that send none before the first message need it long. It gives up the
   * call, not the connection: over HTTP/2, the transport of `farewell/node` finds dead ones. @default no limit
   */
  readonly headersTimeoutMs?: number;
  /** For so many ms, a notice explains a stream that is cut. @default 10_000 */
  readonly noticeTtlMs?: number;
  /** The app's own `google.rpc.ErrorInfo`: domain, then reason, to a Disconnect reason. */
  readonly reasons?: ReasonMappings;
  /**
   * What it means on this server if a stream is reset without a status, for servers that can only kick by cutting the
   * stream. Unary calls that are cut say nothing. @default "aborted"
   */
  readonly abortedMeans?: Reason;
  /**
   * What an HTTP error in place of a response means on this server, by its status: `{ 403: "unauthenticated" }`. For gateways
   * that answer in the server's name. @default none: see the guide's page on reasons
   */
  readonly httpStatusMeans?: HttpStatusMeans;
  /**
   * The transport's `Http2SessionManager` (connect-node): tells a lost connection from a stream that was reset, and that a
   * stream without an answer has gone with it. Its state is read once a second while a call has no answer. Where it is verified
   * for a minute, calls that wait for it are lost, and say so. @default that of a transport of `farewell/node`
   */
  readonly connection?: { state(): ConnectionState };
  /**
   * Who takes part in the session: the page and its tabs (`browser({ account })` of `farewell/browser`), the server's control
   * stream (`controlStream()` of `farewell/control-stream`). @default none
   */
  readonly extensions?: readonly Extension[];
  /** Time and chance. @default the system's */
  readonly clock?: Clock;
  /**
   * Gets what the app's own functions throw or reject with, where no call of its own fails by it: listeners, policies,
   * `refresh` and the like. @default globalThis.reportError, else console.error
   */
  readonly reportError?: (error: unknown) => unknown;
}

/** Options of `createSession`. `policies` is optional for as long as the app has no reasons of its own. */
export type SessionOptions = Options &
  (Partial<Policies> extends Policies ? { readonly policies?: Policies } : { readonly policies: Policies });

/** Options, filled in. */
export interface Settings {
  readonly rules: Omit<Rules, "takesTurns">;
  readonly reasons: readonly string[];
  readonly mappings: ReasonMappings;
  readonly entries: ReadonlyMap<string, StreamEntry>;
  /** Those of single methods first. */
  readonly retried: readonly RetriedEntry[];
  readonly refresh: Refresh | undefined;
  readonly refreshTimeoutMs: number;
  readonly expiresAt: (() => Date | undefined) | undefined;
  readonly headersTimeoutMs: number | undefined;
  readonly noticeTtlMs: number;
  readonly abortedMeans: Reason | undefined;
  readonly httpStatusMeans: HttpStatusMeans | undefined;
  readonly connection: { state(): ConnectionState } | undefined;
  readonly extensions: readonly Extension[];
  readonly clock: Clock;
  readonly reportError: (error: unknown) => void;
}

/** @throws TypeError that names the option, what it was and what was expected. */
export function checkOptions(transport: Transport, options: SessionOptions): Settings {
  checkSession(transport, options, defaultPolicies);
  return fill(options);
}

const healthyByDefaultMs = 10_000;

/** What was left out is as it is by default. */
function fill(options: Options & { readonly policies?: Policies }): Settings {
  const {
    policies = {},
    methods = [],
    rateLimit = defaultRateLimit,
    refresh,
    refreshTimeoutMs = 30_000,
    expiresAt,
    healthyAfterMs = healthyByDefaultMs,
    headersTimeoutMs,
    noticeTtlMs = 10_000,
    reasons: mappings = {},
    abortedMeans,
    httpStatusMeans,
    connection,
    extensions = [],
    clock = systemClock,
    reportError = report,
  } = options;
  const mapped = Object.values(mappings).flatMap((table) =>
    Object.values(table).map((mapping) => (typeof mapping === "object" ? mapping.reason : mapping)),
  );
  const reasons = [...new Set<string>([...builtInReasons, ...mapped])];
  return {
    rules: {
      policies: resolvePolicies(policies, reasons),
      rateLimit: rateLimit === false ? undefined : rateLimit,
      healthyAfterMs: finiteMs(healthyAfterMs, healthyByDefaultMs),
      canRefresh: refresh !== undefined,
      abortedMeans,
      timesHeaders: headersTimeoutMs !== undefined,
    },
    reasons,
    mappings,
    entries: new Map(methods.filter(isOfStreams).map((entry) => [methodName(entry.method), entry])),
    retried: methods.filter((entry) => "retry" in entry).sort((a, b) => Number(!a.method) - Number(!b.method)),
    refresh,
    refreshTimeoutMs: finiteMs(refreshTimeoutMs, 30_000),
    expiresAt: refresh && expiresAt,
    headersTimeoutMs,
    noticeTtlMs,
    abortedMeans,
    httpStatusMeans,
    connection,
    extensions,
    clock,
    reportError: lastResort(reportError),
  };
}

function isOfStreams(entry: MethodEntry): entry is StreamEntry {
  return "cursor" in entry;
}

/** Who is told of what an app's own code throws. Never throws. */
export type Reporter = (error: unknown) => void;

const reporters = new WeakMap<object, Reporter>();

/** From now on a session's failures are told to this one. */
export function reportTo(session: object, reporter: Reporter): void {
  reporters.set(session, reporter);
}

/** Who is told of a session's failures: for an object that is like one, the default. */
export function reporterOf(session: object): Reporter {
  return reporters.get(session) ?? lastResort(report);
}

function report(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error); // Node has no reportError, and throwing later would end the process
}

/** The options may be left out as long as the app has no reasons of its own. */
export type SessionArguments =
  Partial<Policies> extends Policies ? [options?: SessionOptions] : [options: SessionOptions];
