import { invalid } from "../check/invalid.js";
import { checkPolicies } from "../check/policies.js";
import type { AppReason } from "../disconnect/disconnect.js";
import { builtInReasons } from "../disconnect/reasons.js";
import { defaultPolicies, type Policies } from "./policy.js";

/**
 * Checks policies that came as JSON, for example from a file or a remote configuration: everywhere, also in production.
 *
 * @param appReasons the app's own reasons, besides the built-in ones
 * @throws TypeError that names the field, what it was and what was expected
 * @example
 * const policies = parsePolicies(JSON.parse(text));
 */
export function parsePolicies(
  json: unknown,
  ...[appReasons = []]: Partial<Policies> extends Policies
    ? [appReasons?: readonly AppReason[]]
    : [appReasons: readonly AppReason[]]
): Policies {
  checkPolicies(json, [...builtInReasons, ...appReasons], defaultPolicies);
  for (const reason of appReasons) {
    if (!Object.hasOwn(json as object, reason)) throw invalid(`policies.${reason}`, undefined, "a policy");
  }
  return json as Policies;
}
