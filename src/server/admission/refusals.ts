import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { Awaitable } from "../store/store.js";
import type { IncomingCall, Who } from "../who/identity.js";
import { goodbyesOf } from "../words/goodbye.js";
import type { Words } from "../words/words.js";
import type { Patience } from "./patience.js";

/** How one newcomer is turned away. */
export interface Refusal {
  /** Counts and logs it, and throws the error that says the words. */
  readonly refuse: (words: Words) => never;
  /**
   * An answer of the store's. Where there is none, or not in time, nobody is let in, and nobody is told that it is their fault.
   * `late` gets one that has come too late.
   */
  readonly ask: <T>(question: () => Awaitable<T>, late?: (answer: T) => void) => Promise<T>;
  /** Nobody knows whether they may come in: they are to try again. */
  readonly refuseForNow: () => never;
}

/** @param who once it is known */
export type Refusals = (call: IncomingCall, who?: Who) => Refusal;

export function createRefusals(patience: Patience, audit: Audit, clock: Clock): Refusals {
  return ({ method, peer, signal }, who) => {
    const refuse = (words: Words): never => {
      audit.refusal(words, { method, peer, user: who?.user, session: who?.session });
      throw goodbyesOf(words, clock.now())();
    };
    const refuseForNow = () => refuse({ reason: "maintenance", message: "temporarily unavailable" });
    return {
      refuse,
      refuseForNow,
      async ask(question, late) {
        try {
          return await patience(question, signal, late);
        } catch (error) {
          if (signal.aborted) throw error; // nobody is left to be refused
          audit.failure(error, "the store failed at the door");
          return refuseForNow();
        }
      },
    };
  };
}
