import * as invalid from "./invalid.js";

// The checks of options that are literals in an app's code, imported as "#check". A production bundle for a browser gets
// production.ts in their place, so nothing here may answer with a value: who checks does not fill in.

export { checkClient } from "./client.js";
export { checkMethod, checkPosition, checkRequest, checkRetried, checkRetryOptions, checkUnary } from "./method.js";
export { checkDecision } from "./policies.js";
export { checkListener, checkSession } from "./session.js";
export { checkTime, checkWords } from "./words.js";

/** The value that an option has, or whatever else is looked at. */
type Check<More extends readonly unknown[] = []> = (option: string, value: unknown, ...more: More) => void;

export const numberIn: Check<[min: number, max?: number]> = invalid.numberIn;
export const objectOf: Check<[known?: readonly string[]]> = invalid.objectOf;
export const functionIn: Check = invalid.functionIn;
export const functionOr: Check = invalid.functionOr;

/** Refuses `value` where it does not `hold`. */
export function expected(holds: boolean, option: string, value: unknown, what: string): void {
  if (!holds) throw invalid.invalid(option, value, what);
}
