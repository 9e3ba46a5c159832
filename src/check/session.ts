import type { DescMethod } from "@bufbuild/protobuf";
import { functionIn, functionOr, invalid, numberIn, objectOf, oneOf } from "./invalid.js";
import { pathOf } from "./method.js";
import { checkPolicies } from "./policies.js";
import { checkRateLimit } from "./rate-limit.js";

type Fields = { readonly [name: string]: unknown };

/** The names of the options of `createSession`. They are here, because a production bundle needs none of them. */
export const sessionOptions = [
  "policies",
  "methods",
  "rateLimit",
  "refresh",
  "refreshTimeoutMs",
  "expiresAt",
  "healthyAfterMs",
  "headersTimeoutMs",
  "noticeTtlMs",
  "reasons",
  "abortedMeans",
  "httpStatusMeans",
  "connection",
  "extensions",
  "clock",
  "reportError",
] as const;

/**
 * What `createSession` gets.
 *
 * @param defaults the policies of the built-in reasons
 * @throws TypeError that names the option, what it was and what was expected
 */
export function checkSession(
  transport: unknown,
  options: unknown,
  defaults: { readonly [reason: string]: unknown },
): void {
  const { stream, unary } = (transport ?? {}) as Fields; // a mock may have one of them
  if (typeof stream !== "function" && typeof unary !== "function") {
    throw invalid("transport", transport, "a Transport, such as createConnectTransport({ baseUrl })");
  }
  const {
    policies = {},
    reasons = {},
    methods = [],
    rateLimit = false,
    ...others
  } = objectOf("options", options, sessionOptions);
  const known = checkReasons(reasons, Object.keys(objectOf("policies", policies)), Object.keys(defaults));
  checkPolicies(policies, known, defaults);
  checkMethods(methods);
  if (rateLimit !== false) checkRateLimit("rateLimit", rateLimit);
  const { refresh, expiresAt, reportError, clock, connection, extensions = [] } = others;
  functionOr("refresh", refresh);
  functionOr("expiresAt", expiresAt);
  functionOr("reportError", reportError);
  checkShape("connection", connection, ["state"]);
  checkExtensions(extensions);
  checkShape("clock", clock, ["now", "monotonic", "random", "sleep"]);
  const { healthyAfterMs = 0, headersTimeoutMs, noticeTtlMs = 0, abortedMeans, httpStatusMeans = {} } = others;
  const { refreshTimeoutMs = 1 } = others;
  numberIn("refreshTimeoutMs", refreshTimeoutMs, 1);
  numberIn("healthyAfterMs", healthyAfterMs, 0);
  if (headersTimeoutMs !== undefined) numberIn("headersTimeoutMs", headersTimeoutMs, 1);
  numberIn("noticeTtlMs", noticeTtlMs, 0);
  if (abortedMeans !== undefined) oneOf("abortedMeans", abortedMeans, known);
  for (const [status, reason] of Object.entries(objectOf("httpStatusMeans", httpStatusMeans))) {
    const option = `httpStatusMeans[${status}]`;
    if (!/^[345]\d\d$/.test(status)) throw invalid(option, status, "an HTTP status from 300 to 599 as its key");
    oneOf(option, reason, known);
  }
}

/** Reasons that are mapped must be known. Answers with all that may have a policy. */
function checkReasons(mappings: unknown, own: readonly string[], builtIn: readonly string[]): readonly string[] {
  const known = new Set(builtIn);
  for (const [domain, table] of Object.entries(objectOf("reasons", mappings))) {
    for (const [name, mapping] of Object.entries(objectOf(`reasons.${domain}`, table))) {
      const reason = (typeof mapping === "object" ? (mapping as Fields | null)?.reason : mapping) as string;
      if (!known.has(reason) && !own.includes(reason)) {
        const what = "a built-in reason, or one of your own that has a policy";
        throw invalid(`reasons.${domain}.${name}`, reason, what);
      }
      known.add(reason);
    }
  }
  return [...known];
}

function checkMethods(methods: unknown): void {
  if (!Array.isArray(methods)) throw invalid("methods", methods, "an array of method(…) entries");
  const paths = new Set<string>();
  methods.forEach((entry: unknown, index) => {
    const { method, madeBy } = objectOf(`methods[${index}]`, entry);
    if (!method && !madeBy) throw invalid(`methods[${index}]`, entry, "an entry made by method(…) or retried(…)");
    const path = method ? pathOf(method as DescMethod) : String(madeBy);
    if (paths.has(path)) throw invalid(`methods[${index}]`, path, "one entry for each method");
    paths.add(path);
  });
}

function checkExtensions(extensions: unknown): void {
  if (!Array.isArray(extensions)) throw invalid("extensions", extensions, "an array of extensions, such as browser()");
  extensions.forEach((extension: unknown, index) => {
    functionIn(`extensions[${index}]`, extension);
  });
}

/** An object with these methods, or `undefined`. */
function checkShape(option: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  for (const name of methods) functionIn(`${option}.${name}`, (value as Fields | null)?.[name]);
}

/** @throws TypeError that names the event. */
export function checkListener(type: string, listener: unknown): void {
  functionIn(`on(${JSON.stringify(type)})`, listener);
}
