import type { DisconnectInit } from "../../disconnect/disconnect.js";
import type { BuiltInReason } from "../../disconnect/reasons.js";
import type { Selector } from "../who/selector.js";

/** What a client is told: a Disconnect before it is on the wire. */
export type Words = DisconnectInit<BuiltInReason>;

/** The words that go with a reason, without the reason. */
export type WordsOf<R extends Words["reason"]> = Omit<Extract<Words, { reason: R }>, "reason">;

/** One decision about clients: the same object in the store, in the audit and on the wire. */
export interface Verdict {
  /** Names the decision in logs and outcomes. */
  readonly id: string;
  /** When it was decided. */
  readonly at: Date;
  /** Whom it is about. */
  readonly selector: Selector;
  /** What they are told. */
  readonly words: Words;
  /** Who decided, for the audit. Never sent. */
  readonly by: string | undefined;
  /** Why, for the audit. Never sent. */
  readonly note: string | undefined;
}
