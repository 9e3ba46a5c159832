import { builtInReasons } from "../../disconnect/reasons.js";
import { isRevoked } from "../store/revocation.js";
import type { Epoch, Restriction } from "../store/store.js";
import type { Who } from "../who/identity.js";
import type { Words } from "../words/words.js";

/** What a newcomer is refused with, and the restriction that says so, if it is one. */
export interface Judgement {
  readonly words: Words;
  readonly restriction: Restriction | undefined;
}

/**
 * Whether somebody may come in, for all that is remembered. Pure. The gravest reason is told, and of several of one
 * kind the one that holds longest.
 *
 * @param clockSkewMs how far the clock that wrote `issuedAt` may be ahead of the one that wrote the revocation
 */
export function judge(
  who: Who,
  restrictions: readonly Restriction[],
  epoch: Epoch | undefined,
  now: number,
  clockSkewMs: number,
): Judgement | undefined {
  const [gravest] =
    restrictions.length > 1
      ? [...restrictions].sort((a, b) => graveness(a) - graveness(b) || end(b) - end(a))
      : restrictions;
  if (gravest) return { words: gravest.words, restriction: gravest };
  if (who.expiresAt !== undefined && who.expiresAt <= now) return refusal("the credentials have expired");
  if (epoch && isRevoked(who, epoch, clockSkewMs)) return refusal("the credentials were revoked");
  return undefined;
}

function refusal(message: string): Judgement {
  return { words: { reason: "unauthenticated", message }, restriction: undefined };
}

/** A ban is the gravest; the others stand in the order of the vocabulary. */
function graveness({ words }: Restriction): number {
  return words.reason === "banned" ? -1 : builtInReasons.indexOf(words.reason);
}

function end({ until }: Restriction): number {
  return until ?? Number.POSITIVE_INFINITY;
}
