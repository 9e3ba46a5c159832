import type { ConnectError } from "@connectrpc/connect";
import { toConnectError } from "./to-connect-error.js";
import type { Verdict, Words } from "./words.js";

const verdicts = new WeakMap<object, Verdict>();
const lasting = new WeakMap<Words, ConnectError>();

/** The error that tells a client. One that holds no relative time is made once, however often it is said. */
export function goodbyeOf(words: Words, now: number, verdict?: Verdict): ConnectError {
  const error = lasting.get(words) ?? toConnectError(words, now);
  if (!("retryAt" in words) || words.retryAt === undefined) lasting.set(words, error);
  if (verdict) verdicts.set(error, verdict);
  return error;
}

/**
 * The verdict with which a handler's stream was ended, for `context.signal.reason`, or `undefined` where the client
 * left by itself.
 *
 * @example
 * if (verdictOf(context.signal.reason)?.words.reason === "banned") forfeit(game);
 */
export function verdictOf(reason: unknown): Verdict | undefined {
  return typeof reason === "object" && reason !== null ? verdicts.get(reason) : undefined;
}
