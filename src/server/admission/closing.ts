import type { Words } from "../words/words.js";

/** Whether newcomers are refused because the server goes away, and with what. */
export interface Closing {
  /** What the next newcomer is refused with, with a time of its own; `undefined`: the door is open. */
  words(): Words | undefined;
  readonly closed: boolean;
  /** @param words asked for each newcomer */
  close(words: () => Words): void;
  reopen(): void;
  /** What unary calls are refused with as well, where the process is about to end. */
  lastWords(): Words | undefined;
  /** Refuses unary calls as well, for good. */
  closeForAll(words: () => Words): void;
}

export function createClosing(): Closing {
  let refuseWith: (() => Words) | undefined;
  let refuseAllWith: (() => Words) | undefined;
  return {
    words: () => refuseWith?.(),
    get closed() {
      return refuseWith !== undefined;
    },
    close(words) {
      refuseWith = words;
    },
    reopen() {
      refuseWith = undefined;
    },
    lastWords: () => refuseAllWith?.(),
    closeForAll(words) {
      refuseAllWith = words;
    },
  };
}
