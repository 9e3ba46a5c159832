import { builtInReasons } from "../disconnect/disconnect.js";
import type { Who } from "./identity.js";
import type { Epoch, Hold, Words } from "./store.js";

/** What a newcomer is refused with, and the hold that says so, if it is one. */
export interface Refusal {
  readonly words: Words;
  readonly hold: Hold | undefined;
}

/**
 * Whether somebody may come in, for all that is remembered. Pure. The gravest reason is told, and of several of one
 * kind the one that holds longest.
 *
 * @param clockSkewMs how far the clock that wrote `issuedAt` may be ahead of the one that wrote the revocation
 */
export function judge(
  who: Who,
  holds: readonly Hold[],
  epoch: Epoch | undefined,
  now: number,
  clockSkewMs: number,
): Refusal | undefined {
  const [gravest] =
    holds.length > 1 ? [...holds].sort((a, b) => graveness(a) - graveness(b) || end(b) - end(a)) : holds;
  if (gravest) return { words: gravest.words, hold: gravest };
  if (who.expiresAt !== undefined && who.expiresAt <= now) return refusal("the credentials have expired");
  if (epoch && isRevoked(who, epoch, clockSkewMs)) return refusal("the credentials were revoked");
  return undefined;
}

function refusal(message: string): Refusal {
  return { words: { reason: "unauthenticated", message }, hold: undefined };
}

/** A ban is the gravest; the others stand in the order of the vocabulary. */
function graveness({ words }: Hold): number {
  return words.reason === "banned" ? -1 : builtInReasons.indexOf(words.reason);
}

function end({ until }: Hold): number {
  return until ?? Number.POSITIVE_INFINITY;
}

/**
 * Whether credentials are from before the last revocation. An epoch is exact, whatever the clocks say. A time is held
 * against the revocation's: `iat` in a JWT has whole seconds, so one of the same second counts as before it. Credentials
 * that tell neither cannot be told to be fresh.
 */
export function isRevoked({ epoch, issuedAt }: Who, revoked: Epoch, clockSkewMs: number): boolean {
  if (epoch !== undefined) return epoch < revoked.number;
  return issuedAt === undefined || Math.floor(issuedAt / 1000) * 1000 <= revoked.revokedAt + clockSkewMs;
}
