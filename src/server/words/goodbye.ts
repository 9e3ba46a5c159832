import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { toConnectError } from "./to-connect-error.js";
import type { Verdict, Words } from "./words.js";

const verdicts = new WeakMap<object, Verdict>();

/** Makes the error that tells one client. Interceptors may add to an error's metadata, so no two clients get the same. */
export type Goodbyes = () => ConnectError;

const lasting = new WeakMap<Words, Goodbyes>();

/**
 * The errors that tell clients these words. What they have in common is encoded once; for words that hold no relative time,
 * however often they are said.
 */
export function goodbyesOf(words: Words, now: number): Goodbyes {
  const known = lasting.get(words);
  if (known) return known;
  const goodbyes = copiesOf(toConnectError(words, now));
  if (!("retryAt" in words) || words.retryAt === undefined) lasting.set(words, goodbyes);
  return goodbyes;
}

/** The same, of a verdict that handlers are told as well. */
export function goodbyesFor(verdict: Verdict, words: Words, now: number): Goodbyes {
  const goodbyes = goodbyesOf(words, now);
  return () => {
    const error = goodbyes();
    verdicts.set(error, verdict);
    return error;
  };
}

function copiesOf({ rawMessage, code, metadata, details }: ConnectError): Goodbyes {
  const encoded = details.map((detail) => {
    if (!("desc" in detail)) return detail;
    const message = create(detail.desc, detail.value);
    const value = toBinary(detail.desc, message);
    return Object.freeze({ type: detail.desc.typeName, value, debug: toJson(detail.desc, message) });
  });
  return () => {
    const error = new ConnectError(rawMessage, code, metadata);
    error.details = [...encoded];
    return error;
  };
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
