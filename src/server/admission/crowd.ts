import type { Clock } from "../../ports/clock.js";
import type { Words } from "../words/words.js";
import { dateOf } from "./ledger.js";
import { mayHaveMore } from "./share.js";

/** The calls of which the app has not said yet who they are. They are not without number, and no address takes all the room. */
export interface Crowd {
  /** Answers with how to leave; `undefined`: there is no room. */
  enter(address: string | undefined): (() => void) | undefined;
  /** What somebody is refused with for whom there was no room. */
  words(): Words;
}

/** So many wait at most. */
const most = 10_000;

/** @param withinMs how long one of them waits at most */
export function createCrowd(withinMs: number, clock: Clock): Crowd {
  const byAddress = new Map<string, number>();
  let waiting = 0;

  function count(address: string | undefined, by: 1 | -1): void {
    waiting += by;
    if (address === undefined) return;
    const has = (byAddress.get(address) ?? 0) + by;
    if (has > 0) byAddress.set(address, has);
    else byAddress.delete(address);
  }

  return {
    enter(address) {
      const has = address === undefined ? 0 : (byAddress.get(address) ?? 0);
      if (!mayHaveMore(has, most - waiting)) return undefined;
      count(address, 1);
      return () => count(address, -1);
    },
    words() {
      const retryAt = dateOf(clock.monotonic() + withinMs * clock.random(), clock);
      return { reason: "throttled", retryAt, message: "too many at once" };
    },
  };
}
