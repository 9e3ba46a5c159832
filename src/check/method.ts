import type { DescMethod } from "@bufbuild/protobuf";
import { functionOr, invalid, numberIn, objectOf } from "./invalid.js";

/** @throws TypeError that names the option of `method(…)`. */
export function checkMethod(method: DescMethod, options: unknown): void {
  const kind = method?.methodKind;
  if (kind !== "server_streaming" && kind !== "bidi_streaming") {
    throw invalid("method", kind ?? method, "a server-streaming or bidi-streaming method, such as Service.method.name");
  }
  const at = `method(${pathOf(method)})`;
  const finiteToo = kind === "server_streaming" ? ["finite"] : [];
  const known = ["endless", "idleTimeoutMs", "position", "restart", "resume", "run", ...finiteToo];
  const {
    endless = false,
    finite = false,
    idleTimeoutMs,
    position,
    restart,
    resume,
    run,
  } = objectOf(at, options, known);
  for (const [name, flag] of Object.entries({ endless, finite })) {
    if (typeof flag !== "boolean") throw invalid(`${at}.${name}`, flag, "true or false");
  }
  if (endless && finite) throw invalid(`${at}.finite`, finite, "false, because the method is endless");
  if (idleTimeoutMs !== undefined) numberIn(`${at}.idleTimeoutMs`, idleTimeoutMs, 1);
  functionOr(`${at}.position`, position);
  functionOr(`${at}.resume`, resume);
  functionOr(`${at}.run`, run);
  functionOr(`${at}.restart`, restart);
  if (run && !position)
    throw invalid(`${at}.run`, run, "a position beside it: runs are told apart where positions are");
  if (restart && !resume)
    throw invalid(`${at}.restart`, restart, "a resume beside it: only its position can be refused");
  if (kind === "bidi_streaming" && !resume)
    throw invalid(`${at}.resume`, resume, "a function that opens the new stream");
}

/**
 * What `retried(…)` gets.
 *
 * @throws TypeError that names the option
 */
export function checkRetried(method: DescMethod, options: unknown): void {
  checkUnary(method);
  checkRetryOptions(`retried(${pathOf(method)})`, options);
}

/** @throws TypeError that says what it is instead */
export function checkUnary(method: DescMethod): void {
  const kind = method?.methodKind;
  if (kind !== "unary") throw invalid("method", kind ?? method, "a unary method, such as Service.method.name");
}

/** @throws TypeError that names the option */
export function checkRetryOptions(at: string, options: unknown): void {
  const { maxAttempts } = objectOf(at, options, ["maxAttempts"]);
  if (maxAttempts !== undefined) numberIn(`${at}.maxAttempts`, maxAttempts, 1);
}

/**
 * What `resume` has answered: a misspelt field would be dropped without a word, and the stream would start from the
 * beginning.
 */
export function checkRequest(method: DescMethod, message: unknown): void {
  const { fields, oneofs } = method.input;
  const known = [...fields, ...oneofs].map(({ localName }) => localName);
  objectOf(`method(${pathOf(method)}).resume`, message, [...known, "$typeName", "$unknown"]);
}

/** What `position` has answered. */
export function checkPosition(method: DescMethod, position: unknown): void {
  if (typeof position === "bigint" || Number.isInteger(position)) return;
  throw invalid(`method(${pathOf(method)}).position`, position, "to answer with an integer or a bigint");
}

/** As in the request's path. */
export function pathOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}
