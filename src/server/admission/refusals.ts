import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { Awaitable } from "../store/store.js";
import type { IncomingCall, Who } from "../who/identity.js";
import { goodbyeOf } from "../words/goodbye.js";
import type { Words } from "../words/words.js";

/** How one newcomer is turned away. */
export interface Refusal {
  /** Counts and logs it, and throws the error that says the words. */
  readonly refuse: (words: Words) => never;
  /** An answer of the store's. Where there is none nobody is let in, and nobody is told that it is their fault. */
  readonly ask: <T>(question: () => Awaitable<T>) => Promise<T>;
}

/** @param who once it is known */
export type Refusals = (call: IncomingCall, who?: Who) => Refusal;

export function createRefusals(audit: Audit, clock: Clock): Refusals {
  return ({ method, peer }, who) => {
    const refuse = (words: Words): never => {
      audit.refusal(words, { method, peer, user: who?.user, session: who?.session });
      throw goodbyeOf(words, clock.now());
    };
    return {
      refuse,
      async ask(question) {
        try {
          return await question();
        } catch (error) {
          audit.failure(error, "the store failed at the door");
          return refuse({ reason: "maintenance", message: "temporarily unavailable" });
        }
      },
    };
  };
}
