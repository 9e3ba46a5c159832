import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { numberIn, objectOf } from "../../check/invalid.js";
import type { RateLimit } from "../../policy/rate-limit.js";
import { guarded } from "../../ports/guarded.js";
import { createMemoryLogins } from "./memory-logins.js";
import { createMemoryRestrictions } from "./memory-restrictions.js";
import { createRecent, type Recent } from "./recent.js";
import type { Epoch, Recorded, Store } from "./store.js";

/**
 * Remembers in this process, until it ends. Several bouncers may share one.
 *
 * @param options `rememberLoginsMs`: how long a session that has left keeps its place in the order of logins, so that
 *   one that lost it while it was away does not take it back; @default 86_400_000
 * @throws TypeError that names the option
 */
export function memoryStore(options: { readonly rememberLoginsMs?: number } = {}): Store {
  const { rememberLoginsMs = 86_400_000 } = objectOf("options", options, ["rememberLoginsMs"]);
  const logins = createMemoryLogins(numberIn("options.rememberLoginsMs", rememberLoginsMs, 0));
  const restrictions = createMemoryRestrictions();
  const epochs = new Map<string, Epoch>();
  const listeners = new Set<(entry: Recorded) => void>();
  let sweepAt = 1_000; // when so many keys are kept, or users known, those that are over are looked for

  function sweep(now: number): void {
    if (restrictions.size + logins.size < sweepAt) return;
    restrictions.sweep(now);
    logins.sweep(now);
    sweepAt = Math.max(1_000, 2 * (restrictions.size + logins.size)); // so that the cost is constant for each that came
  }

  function raiseEpoch(user: string, revokedAt: number): number {
    const number = (epochs.get(user)?.number ?? 0) + 1;
    epochs.set(user, { number, revokedAt });
    return number;
  }

  return {
    record(entry) {
      const now = entry.verdict.at.getTime();
      sweep(now);
      for (const restriction of entry.restrictions) restrictions.add(restriction, now);
      const epoch = entry.revokes === undefined ? undefined : raiseEpoch(entry.revokes, now);
      // The entry is written, whoever cannot take it.
      for (const listener of [...listeners]) void guarded(() => listener({ ...entry, epoch }), console.error);
      return epoch;
    },
    restrict: restrictions.add,
    restrictions: restrictions.of,
    consume: restrictions.remove,
    lift: restrictions.lift,
    epoch: (user) => epochs.get(user),
    login(request) {
      sweep(request.now);
      return logins.login(request);
    },
    logout: logins.logout,
    take: createBudgets(),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Of each limit, so many budgets are kept at most, and the latest half for certain. Who is forgotten has a full one again. */
const mostBudgets = 100_000;

function createBudgets(): Store["take"] {
  const limiters = new Map<RateLimit, { readonly limiter: RateLimiterMemory; readonly keys: Recent<true> }>();

  function limiterFor(limit: RateLimit) {
    const known = limiters.get(limit);
    if (known) return known;
    const limiter = new RateLimiterMemory({ points: limit.burst, duration: limit.perMs / 1000 });
    const made = { limiter, keys: createRecent<true>(mostBudgets, (key) => void limiter.delete(key)) };
    limiters.set(limit, made);
    return made;
  }

  function consume(limit: RateLimit, key: string): Promise<RateLimiterRes> {
    const { limiter, keys } = limiterFor(limit);
    keys.set(key, true);
    return limiter.consume(key);
  }

  return async (limit, key) => {
    try {
      await consume(limit, key);
      return undefined;
    } catch (refusal) {
      // The limiter subtracts dates, and forgets by a timer: where the wall clock was set back, only the latter holds.
      if (refusal instanceof RateLimiterRes) return Math.min(limit.perMs, Math.max(1, refusal.msBeforeNext));
      throw refusal;
    }
  };
}
