import { functionIn, functionOr, invalid, numberIn, objectOf, oneOf } from "../check/invalid.js";
import { checkRateLimit } from "../check/rate-limit.js";
import type { RateLimit } from "../policy/rate-limit.js";
import { type Clock, systemClock } from "../ports/clock.js";
import { lastResort } from "../ports/guarded.js";
import type { AdmissionSettings } from "./admission/parts.js";
import type { Logger } from "./audit/logger.js";
import { memoryStore } from "./store/memory-store.js";
import type { Awaitable, Store } from "./store/store.js";
import { checkLimit } from "./verdict/options.js";
import type { VerdictSettings } from "./verdict/verdicts.js";
import type { Identify, IncomingCall } from "./who/identity.js";

/** Options of `createBouncer`. */
export interface BouncerOptions {
  /** Who is calling. Called once for each call, unary ones too, before its handler. May be async. */
  readonly identify: Identify;
  /**
   * How long `identify`, `addressOf` or the store may take to answer for a newcomer; likewise `authorize` for an admin's call. Then it is
   * refused with `maintenance`. In ms. @default 10_000
   */
  readonly identifyTimeoutMs?: number;
  /** What is remembered, and where. @default memoryStore() */
  readonly store?: Store;
  /** Any logger of pino's shape. May be async, and fail: `reportError` then gets why. @default none; failures then go to `reportError` */
  readonly logger?: Logger;
  /** How long a stream may take to end before it is reset. @default 5_000 */
  readonly forceAfterMs?: number;
  /** How long a client that was put out is told so when it comes back, in case it did not hear it. 0: never. @default 600_000 */
  readonly rememberMs?: number;
  /** How long an `onRelease` hook may take before it is reported. @default 5_000 */
  readonly releaseWithinMs?: number;
  /** A verdict on a tag, or on all, that matches more streams does nothing, unless its own `limit` says so. @default 1_000 */
  readonly limit?: number;
  /**
   * How many devices of one user may be inside, and who yields to whom. `identify` should tell the session or the device,
   * or the client have a control stream; else each stream counts as a login of its own. @default no bound
   */
  readonly logins?: { readonly max: number; readonly whenFull?: "newest-wins" | "oldest-wins" };
  /** How often one user, and one address, may open a stream. @default no bound */
  readonly rateLimits?: { readonly perUser?: RateLimit; readonly perAddress?: RateLimit };
  /** The address that `perAddress` counts by, and by which `acceptPerSecond` is shared, for servers behind a proxy; called before `identify`. May be async. @default the peer's */
  readonly addressOf?: (call: IncomingCall) => Awaitable<string | undefined>;
  /**
   * How many streams a second are let in, and the span over which clients are asked to spread their return after a crash:
   * about the number of clients, divided by `acceptPerSecond`. @default no bound, and no word
   */
  readonly admission?: { readonly acceptPerSecond?: number; readonly windowMs?: number };
  /** How far the clock behind `issuedAt` may be ahead of ours. Only for tokens without an epoch. @default 1_000 */
  readonly clockSkewMs?: number;
  /** How often a control stream gets a sign of life. @default 15_000 */
  readonly heartbeatMs?: number;
  /** Time and chance. @default the system's */
  readonly clock?: Clock;
  /** Gets what went wrong where nobody can be told, if there is no logger. May be async, and fail. @default console.error */
  readonly reportError?: (error: unknown) => unknown;
}

/** Options, checked and filled in: what each room wants to know, and the rest. */
export interface BouncerSettings extends AdmissionSettings, VerdictSettings {
  readonly logger: Logger | undefined;
  readonly releaseWithinMs: number;
  readonly heartbeatMs: number;
  readonly clock: Clock;
  readonly reportError: (error: unknown) => void;
}

const known = [
  "identify",
  "identifyTimeoutMs",
  "store",
  "logger",
  "forceAfterMs",
  "rememberMs",
  "releaseWithinMs",
  "limit",
  "logins",
  "rateLimits",
  "addressOf",
  "admission",
  "clockSkewMs",
  "heartbeatMs",
  "clock",
  "reportError",
] as const satisfies readonly (keyof BouncerOptions)[];

const storeMethods = [
  "record",
  "restrict",
  "restrictions",
  "consume",
  "lift",
  "epoch",
  "login",
  "logout",
  "take",
  "subscribe",
] as const;

/** @throws TypeError that names the option, what it was and what was expected. */
export function checkBouncerOptions(options: BouncerOptions): BouncerSettings {
  objectOf("options", options, known);
  const {
    identify,
    identifyTimeoutMs = 10_000,
    store = memoryStore(),
    logger,
    forceAfterMs = 5_000,
    rememberMs = 600_000,
    releaseWithinMs = 5_000,
    limit = 1_000,
    logins,
    rateLimits = {},
    addressOf = ({ peer }) => peer,
    admission = {},
    clockSkewMs = 1_000,
    heartbeatMs = 15_000,
    clock = systemClock,
    reportError = console.error,
  } = options;
  functionIn("identify", identify);
  functionIn("addressOf", addressOf);
  for (const method of storeMethods) functionIn(`store.${method}`, store?.[method]);
  if (logger !== undefined) {
    for (const level of ["debug", "info", "warn", "error"] as const) functionIn(`logger.${level}`, logger?.[level]);
  }
  for (const name of ["now", "monotonic", "random", "sleep"] as const) functionIn(`clock.${name}`, clock?.[name]);
  functionOr("reportError", reportError);
  const { perUser, perAddress } = objectOf("rateLimits", rateLimits, ["perUser", "perAddress"]);
  const { acceptPerSecond, windowMs } = objectOf("admission", admission, ["acceptPerSecond", "windowMs"]);
  return {
    identify,
    identifyTimeoutMs: numberIn("identifyTimeoutMs", identifyTimeoutMs, 1, 2 ** 31 - 1),
    store,
    logger,
    forceAfterMs: numberIn("forceAfterMs", forceAfterMs, 0),
    rememberMs: numberIn("rememberMs", rememberMs, 0),
    releaseWithinMs: numberIn("releaseWithinMs", releaseWithinMs, 1),
    limit: checkLimit("limit", limit),
    logins: logins === undefined ? undefined : checkLogins(logins),
    perUser: checkRation("rateLimits.perUser", perUser),
    perAddress: checkRation("rateLimits.perAddress", perAddress),
    addressOf,
    acceptPerSecond:
      acceptPerSecond === undefined ? undefined : numberIn("admission.acceptPerSecond", acceptPerSecond, 0.001),
    windowMs: windowMs === undefined ? undefined : numberIn("admission.windowMs", windowMs, 0, 3_600_000),
    clockSkewMs: numberIn("clockSkewMs", clockSkewMs, 0),
    heartbeatMs: numberIn("heartbeatMs", heartbeatMs, 10),
    clock,
    reportError: lastResort(reportError),
  };
}

/** No longer than a timer of Node's can wait: a longer one fires at once, and there would be no limit. */
function checkRation(option: string, ration: unknown): RateLimit | undefined {
  if (ration === undefined) return undefined;
  const { burst, perMs } = checkRateLimit(option, ration);
  return { burst, perMs: numberIn(`${option}.perMs`, perMs, 1, 2 ** 31 - 1) };
}

function checkLogins(logins: unknown): NonNullable<BouncerSettings["logins"]> {
  const { max, whenFull = "newest-wins" } = objectOf("logins", logins, ["max", "whenFull"]);
  if (!Number.isInteger(max) || (max as number) < 1) throw invalid("logins.max", max, "a whole number of at least 1");
  return { max: max as number, whenFull: oneOf("logins.whenFull", whenFull, ["newest-wins", "oldest-wins"]) };
}
