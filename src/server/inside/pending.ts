import type { Who } from "../who/identity.js";
import { matches } from "../who/selector.js";
import type { Verdict } from "../words/words.js";

// A client that is on its way in while a verdict is carried out is not in the registry yet. Without this it would slip
// through: the verdict finds nobody, and the newcomer is let in a moment later.

/** A call between its arrival and its admission. */
export interface PendingCall {
  /** More was decided since it came than is remembered for it: nobody can say that nothing meant it. */
  readonly overtaken: boolean;
  /** A verdict that was carried out since it came, and meant it. */
  missed(who: Who, stream: string | undefined): Verdict | undefined;
  /** How often this user's tokens were revoked since it came. */
  revocations(who: Who): number;
  leave(): void;
}

export interface PendingCalls {
  enter(): PendingCall;
  /** A verdict is being carried out. `revokes`: it means only who has older tokens, so whoever is on the way is to be looked at again. */
  note(verdict: Verdict, revokes?: boolean): void;
}

interface Noted {
  readonly verdict: Verdict;
  readonly revokes: boolean;
}

/** So many verdicts are remembered for those on the way. Then the older half is forgotten. */
const most = 10_000;

export function createPendingCalls(): PendingCalls {
  const waiting = new Set<{ readonly from: number }>(); // in order, so the first has waited longest
  let noted: Noted[] = []; // no more than whoever is on the way may have missed
  let first = 0; // the number of the first of them

  function forget(before: number): void {
    noted = noted.slice(before - first);
    first = before;
  }

  function trim(): void {
    const [longest] = waiting;
    if (!longest) forget(first + noted.length);
    else if (longest.from > first) forget(longest.from);
  }

  return {
    enter() {
      const self = { from: first + noted.length };
      waiting.add(self);
      const since = () => noted.slice(Math.max(0, self.from - first));
      return {
        get overtaken() {
          return self.from < first;
        },
        missed: (who, stream) =>
          since().find(({ verdict, revokes }) => !revokes && matches(verdict.selector, who, stream))?.verdict,
        revocations: (who) =>
          since().filter(({ verdict, revokes }) => revokes && matches(verdict.selector, who, undefined)).length,
        leave() {
          waiting.delete(self);
          if (noted.length > 0) trim();
        },
      };
    },
    note(verdict, revokes = false) {
      if (waiting.size === 0) first++;
      else noted.push({ verdict, revokes });
      if (noted.length > most) forget(first + most / 2);
    },
  };
}
