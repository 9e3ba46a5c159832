import { invalid, numberIn, objectOf, oneOf } from "../../check/invalid.js";
import type { Selector } from "../who/selector.js";

/** How a verdict is carried out. */
export interface VerdictOptions {
  /** `abort`: says nothing and resets the streams at once, as ASP.NET's `HttpContext.Abort()` does. @default "tell" */
  readonly mode?: "tell" | "abort" | undefined;
  /** After so many ms, a stream that has not ended is reset. @default the bouncer's */
  readonly forceAfterMs?: number | undefined;
  /** Only counts what would match. @default false */
  readonly dryRun?: boolean | undefined;
  /** Does nothing if more streams match. @default the bouncer's, for a tag and for all; else no limit */
  readonly limit?: number | undefined;
  /** Names the streams in the report. @default false */
  readonly details?: boolean | undefined;
  /** Who decided, for the audit. Never sent. */
  readonly by?: string | undefined;
  /** Why, for the audit. Never sent. */
  readonly note?: string | undefined;
}

/** How a verdict is carried out that may be held up for a while. */
export interface HoldOptions extends VerdictOptions {
  /**
   * Who comes within so many ms is told the same, also who was between two attempts. The selector is then one user, session or
   * tag. `lift` ends it. At most an hour: what lasts longer is a ban. @default 0
   */
  readonly holdMs?: number | undefined;
}

/** Who decided, and why. */
export type Attribution = Pick<VerdictOptions, "by" | "note">;

/** What the bouncer's options say for all verdicts. */
export interface VerdictDefaults {
  readonly forceAfterMs: number;
  readonly limit: number;
}

const known = ["mode", "forceAfterMs", "dryRun", "limit", "details", "by", "note"] as const;

/** Options, checked and filled in. */
export interface CheckedVerdictOptions extends Attribution {
  readonly mode: "tell" | "abort";
  readonly forceAfterMs: number;
  readonly dryRun: boolean;
  readonly limit: number;
  readonly details: boolean;
}

/** @throws TypeError that names the option. */
export function checkVerdictOptions(
  options: VerdictOptions,
  { user, session, stream }: Selector,
  defaults: VerdictDefaults,
): CheckedVerdictOptions {
  objectOf("options", options, known);
  const { mode = "tell", forceAfterMs = defaults.forceAfterMs, dryRun = false, details = false, by, note } = options;
  // A limit that is not given is against a slip of the pen, and a user who opens streams without end is none.
  const { limit = (user ?? session ?? stream) ? Number.POSITIVE_INFINITY : defaults.limit } = options;
  oneOf("options.mode", mode, ["tell", "abort"]);
  numberIn("options.forceAfterMs", forceAfterMs, 0);
  checkLimit("options.limit", limit);
  for (const [name, flag] of Object.entries({ dryRun, details })) {
    if (typeof flag !== "boolean") throw invalid(`options.${name}`, flag, "true or false");
  }
  checkAttribution({ by, note });
  return { mode, forceAfterMs, dryRun, limit, details, by, note };
}

/** Takes `holdMs` out of the others. @throws TypeError that names the option. */
export function checkHoldOptions(options: HoldOptions): readonly [number, VerdictOptions] {
  objectOf("options", options);
  const { holdMs = 0, ...rest } = options;
  return [numberIn("options.holdMs", holdMs, 0, 3_600_000), rest];
}

/** @throws TypeError that names the option. */
export function checkAttribution(attribution: Attribution): Attribution {
  const { by, note } = objectOf("options", attribution, ["by", "note"]);
  for (const [name, text] of Object.entries({ by, note })) {
    if (text !== undefined && typeof text !== "string") throw invalid(`options.${name}`, text, "a string");
  }
  return attribution;
}

/** Infinity is a limit that somebody has thought about. */
export function checkLimit(option: string, limit: unknown): number {
  if (limit === Number.POSITIVE_INFINITY || (Number.isInteger(limit) && (limit as number) >= 0)) return limit as number;
  throw invalid(option, limit, "a whole number of at least 0, or Infinity");
}
