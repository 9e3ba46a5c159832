import { functionOr, invalid, numberIn, objectOf } from "../../check/invalid.js";
import { checkTime, checkWords } from "../../check/words.js";
import type { LocalizedText } from "../../disconnect/disconnect.js";
import { builtInReasons } from "../../disconnect/reasons.js";
import type { DrainProgress } from "../inside/report.js";
import type { Attribution } from "../verdict/options.js";

/** How the server goes away. */
export interface DrainOptions {
  /** Streams are ended evenly over so many ms. @default 0 */
  readonly overMs?: number | undefined;
  /** When the service is back. @default clients may come back, to another server, as soon as they are put out */
  readonly backAt?: Date | undefined;
  /**
   * How many clients a second may come back. Each is given a time of its own. @default `admission.acceptPerSecond`, else
   * as many as are put out in a second
   */
  readonly returnPerSecond?: number | undefined;
  /** Text for developers, and for logs. */
  readonly message?: string | undefined;
  /** Text for users. */
  readonly localized?: LocalizedText | undefined;
  /** After so many ms, a stream that has not ended is reset. @default the bouncer's */
  readonly forceAfterMs?: number | undefined;
  /** Who decided, for the audit. Never sent. */
  readonly by?: string | undefined;
  /** Why, for the audit. Never sent. */
  readonly note?: string | undefined;
  /** Called about once a second, and at the end. May be async: nothing waits for it, and what goes wrong in it is logged. */
  readonly onProgress?: ((progress: DrainProgress) => unknown) | undefined;
  /** Stops the drain, and lets newcomers in again; also after it has ended. */
  readonly signal?: AbortSignal | undefined;
}

const known = [
  "overMs",
  "backAt",
  "returnPerSecond",
  "message",
  "localized",
  "forceAfterMs",
  "by",
  "note",
  "onProgress",
  "signal",
] as const satisfies readonly (keyof DrainOptions)[];

/** Options, checked and filled in. `backAt` is epoch ms. */
export interface CheckedDrainOptions
  extends Pick<DrainOptions, "returnPerSecond" | "localized" | "onProgress" | "signal"> {
  readonly overMs: number;
  readonly backAt: number | undefined;
  readonly message: string;
  readonly forceAfterMs: number;
  readonly attribution: Attribution;
}

/** @throws TypeError that names the option. */
export function checkDrainOptions(options: DrainOptions, forceAfterMsByDefault: number): CheckedDrainOptions {
  objectOf("options", options, known);
  const { overMs = 0, backAt, returnPerSecond, message = "", localized, by, note, onProgress, signal } = options;
  const { forceAfterMs = forceAfterMsByDefault } = options;
  numberIn("options.overMs", overMs, 0, 86_400_000);
  numberIn("options.forceAfterMs", forceAfterMs, 0);
  if (returnPerSecond !== undefined) numberIn("options.returnPerSecond", returnPerSecond, 0.001);
  functionOr("options.onProgress", onProgress);
  for (const [name, text] of Object.entries({ message, by, note })) {
    if (text !== undefined && typeof text !== "string") throw invalid(`options.${name}`, text, "a string");
  }
  checkTime("options.backAt", backAt);
  checkWords("options", { reason: "maintenance", localized }, builtInReasons);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalid("options.signal", signal, "an AbortSignal");
  const attribution = { by, note };
  const back = backAt?.getTime();
  return { overMs, backAt: back, returnPerSecond, message, localized, forceAfterMs, onProgress, signal, attribution };
}
