import type { Clock } from "../../ports/clock.js";
import type { Entry, Restriction } from "../store/store.js";

// A store keeps dates, for it may be shared. But a hold is a duration: where the wall clock was set back, it is over all
// the same.

/** When holds are over, by the monotonic clock. */
export interface Holds {
  /** A verdict was recorded, here or by another bouncer. */
  note(entry: Pick<Entry, "verdict" | "restrictions">): void;
  isOver(restriction: Restriction): boolean;
}

/** So many are known at most; older ones are over by their date alone. */
const most = 1_000;

export function createHolds(clock: Clock): Holds {
  const ends = new Map<string, number>();
  return {
    note({ verdict, restrictions }) {
      for (const restriction of restrictions) {
        if (!isHold(restriction) || restriction.until === undefined) continue;
        ends.set(nameOf(restriction), clock.monotonic() + restriction.until - verdict.at.getTime());
        const [oldest] = ends.keys();
        if (ends.size > most && oldest !== undefined) ends.delete(oldest);
      }
    },
    isOver(restriction) {
      const end = ends.get(nameOf(restriction));
      return end !== undefined && clock.monotonic() >= end;
    },
  };
}

/** Not a date that somebody has set, and not the memory of what a client did not hear. */
function isHold({ key, words, once }: Restriction): boolean {
  return !once && !key.startsWith("claim:") && (words.reason === "kicked" || words.reason === "superseded");
}

function nameOf({ verdict, key }: Restriction): string {
  return `${verdict} ${key}`;
}
