import type { Who } from "../who/identity.js";
import { matches } from "../who/selector.js";
import type { Verdict } from "../words/words.js";

// A client that is on its way in while a verdict is carried out is not in the registry yet. Without this it would slip
// through: the verdict finds nobody, and the newcomer is let in a moment later.

/** A call between its arrival and its admission. */
export interface PendingCall {
  /** A verdict that was carried out since it came, and meant it. */
  missed(who: Who, stream: string): Verdict | undefined;
  leave(): void;
}

export interface PendingCalls {
  enter(): PendingCall;
  /** A verdict is being carried out. */
  note(verdict: Verdict): void;
}

export function createPendingCalls(): PendingCalls {
  const waiting = new Set<{ readonly from: number }>(); // in order, so the first has waited longest
  let verdicts: readonly Verdict[] = []; // no more than whoever is on the way may have missed
  let first = 0; // the number of the first of them

  function trim(): void {
    const [longest] = waiting;
    if (!longest) [first, verdicts] = [first + verdicts.length, []];
    else if (longest.from > first) [first, verdicts] = [longest.from, verdicts.slice(longest.from - first)];
  }

  return {
    enter() {
      const self = { from: first + verdicts.length };
      waiting.add(self);
      return {
        missed: (who, stream) =>
          verdicts.slice(self.from - first).find(({ selector }) => matches(selector, who, stream)),
        leave() {
          waiting.delete(self);
          if (verdicts.length > 0) trim();
        },
      };
    },
    note(verdict) {
      if (waiting.size > 0) verdicts = [...verdicts, verdict];
      else first++;
    },
  };
}
