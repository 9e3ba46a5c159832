import { invalid, numberIn, objectOf, oneOf } from "./invalid.js";

/** How a delay can be spread. */
export const jitters = ["full", "equal", "decorrelated", "none"] as const;

/** The fields of a bound on attempts that is no number. */
const attemptBounds = ["neverHealthy", "onceHealthy", "inDoubt"];

/** The fields of a policy that reconnects. */
const fields = ["initialMs", "maxMs", "factor", "jitter", "maxAttempts", "whenExhausted", "maxServerMs"];

/**
 * @param reasons those that may have a policy
 * @param defaults the policies of the built-in ones
 * @throws TypeError that names the field, what it was and what was expected
 */
export function checkPolicies(
  policies: unknown,
  reasons: readonly string[],
  defaults: { readonly [reason: string]: unknown },
): void {
  const given = objectOf("policies", policies, reasons);
  for (const reason of reasons) checkPolicy(`policies.${reason}`, given[reason], defaults[reason]);
}

function checkPolicy(option: string, policy: unknown, byDefault: unknown): void {
  if (policy === undefined && byDefault !== undefined) return;
  if (policy === "stop" || policy === "end" || typeof policy === "function") return;
  if (typeof policy !== "object") throw invalid(option, policy, '"stop", "end", an object or a function');
  const { initialMs, maxMs, factor, jitter, maxAttempts, whenExhausted, maxServerMs } = objectOf(
    option,
    policy,
    fields,
  );
  if (typeof byDefault !== "object" && maxAttempts === undefined) {
    const what = "a number, or null for no bound, because nothing reconnects by default here";
    throw invalid(`${option}.maxAttempts`, undefined, what);
  }
  if (initialMs !== undefined) numberIn(`${option}.initialMs`, initialMs, 1);
  if (maxMs !== undefined) numberIn(`${option}.maxMs`, maxMs, 1);
  if (factor !== undefined) numberIn(`${option}.factor`, factor, 1, 100);
  if (jitter !== undefined) oneOf(`${option}.jitter`, jitter, jitters);
  if (typeof maxAttempts === "object" && maxAttempts !== null) {
    const bounds = objectOf(`${option}.maxAttempts`, maxAttempts, attemptBounds);
    for (const name of attemptBounds) checkBound(`${option}.maxAttempts.${name}`, bounds[name]);
  } else if (maxAttempts !== undefined) checkBound(`${option}.maxAttempts`, maxAttempts);
  if (whenExhausted !== undefined) oneOf(`${option}.whenExhausted`, whenExhausted, ["stop", "end"]);
  if (maxServerMs !== undefined) numberIn(`${option}.maxServerMs`, maxServerMs, 0);
}

function checkBound(option: string, bound: unknown): void {
  if (bound === null || (typeof bound === "number" && bound >= 0)) return;
  throw invalid(option, bound, "a number of at least 0, or null for no bound");
}

/** What the app's own function for a reason has answered. */
export function checkDecision(reason: string, decision: unknown): void {
  const answer = `the answer of policies.${reason}`;
  const { action, why, afterMs, refresh = false } = objectOf(answer, decision, ["action", "afterMs", "refresh", "why"]);
  oneOf(`${answer}: action`, action, ["reconnect", "stop", "end"]);
  if (typeof why !== "string") throw invalid(`${answer}: why`, why, "a string");
  if (action !== "reconnect") return;
  numberIn(`${answer}: afterMs`, afterMs, 0);
  if (typeof refresh !== "boolean") throw invalid(`${answer}: refresh`, refresh, "true or false");
}
