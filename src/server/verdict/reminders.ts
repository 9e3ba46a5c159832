import type { StreamOfClient } from "../inside/admitted-stream.js";
import type { Restriction } from "../store/store.js";
import { claimKeyOf } from "../who/selector.js";
import type { Verdict } from "../words/words.js";

/** What is kept under a key, before it has the name and the words of its verdict. */
export type NewRestriction = Omit<Restriction, "verdict" | "words">;

/**
 * By which names clients are told the reason at the door. The name that a client made up for one login is used up with
 * it. By any other a client may come back by a new decision of its user's: it is told once, and only if it did not hear.
 *
 * @param rememberMs how long clients are reminded; 0: never
 * @param heard whether the client of a stream has heard the verdict
 */
export function remindersFor(
  streams: readonly StreamOfClient[],
  { at, selector, words }: Verdict,
  rememberMs: number,
  heard: (admitted: StreamOfClient) => boolean,
): readonly NewRestriction[] {
  // What passes by itself, or is held against the user anyway, need not be.
  if (rememberMs === 0 || (words.reason !== "kicked" && words.reason !== "superseded")) return [];
  const { user: whole, ...narrower } = selector;
  const wholeUser = whole !== undefined && Object.values(narrower).every((field) => field === undefined);
  const until = at.getTime() + rememberMs;
  const keys = new Map<string, { readonly once: boolean; readonly user: string | undefined }>();
  for (const admitted of streams) {
    const { user, session } = admitted.who;
    const claim = claimKeyOf(admitted.who);
    if (claim !== undefined) keys.set(claim, { once: false, user });
    else if (heard(admitted)) continue;
    else if (session !== undefined) keys.set(`session:${session}`, { once: true, user });
    else if (wholeUser) keys.set(`user:${user}`, { once: true, user });
  }
  return [...keys].map(([key, { once, user }]) => ({ key, until, once, reminds: { user } }));
}
