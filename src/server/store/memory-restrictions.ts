import { createLatest } from "./latest.js";
import type { Restriction } from "./store.js";

/** What counts against whom, in memory. Those that are over are dropped when they are looked at. */
export interface MemoryRestrictions {
  /** How many keys something is kept under. */
  readonly size: number;
  /** Of the same reason, the newer word replaces the older one. What is said once is not the same as what counts each time. */
  add(restriction: Restriction, now: number): void;
  of(keys: readonly string[], now: number): readonly Restriction[];
  remove(restriction: Restriction): void;
  /** Drops what keeps out under a key. Answers whether there was any. */
  lift(key: string, now: number): boolean;
  sweep(now: number): void;
}

/** Of so many verdicts a user is reminded; all guests together of a hundred times as many. Older ones are forgotten. */
const mostReminders = { user: 100, guests: 10_000 };

export function createMemoryRestrictions(): MemoryRestrictions {
  const byKey = new Map<string, readonly Restriction[]>();
  const reminders = createLatest<Restriction>((user) => mostReminders[user === undefined ? "guests" : "user"]);

  function keep(key: string, left: readonly Restriction[]): void {
    if (left.length > 0) byKey.set(key, left);
    else byKey.delete(key);
  }

  function counting(key: string, now: number): readonly Restriction[] {
    const all = byKey.get(key) ?? [];
    const left = all.filter(({ until }) => until === undefined || now < until);
    if (left.length < all.length) {
      for (const one of all) if (!left.includes(one)) forgetReminder(one);
      keep(key, left);
    }
    return left;
  }

  function forgetReminder(restriction: Restriction): void {
    if (restriction.reminds) reminders.delete(restriction.reminds.user, restriction);
  }

  function remove(restriction: Restriction): void {
    const all = byKey.get(restriction.key) ?? [];
    forgetReminder(restriction);
    keep(
      restriction.key,
      all.filter((other) => other !== restriction),
    );
  }

  return {
    get size() {
      return byKey.size;
    },
    add(restriction, now) {
      const { key, words, once } = restriction;
      const isOther = (old: Restriction) => old.words.reason !== words.reason || old.once !== once;
      const there = counting(key, now);
      for (const old of there) if (!isOther(old)) forgetReminder(old);
      keep(key, [...there.filter(isOther), restriction]);
      if (restriction.reminds) for (const old of reminders.add(restriction.reminds.user, restriction)) remove(old);
    },
    of: (keys, now) => (byKey.size === 0 ? [] : keys.flatMap((key) => counting(key, now))),
    remove,
    lift(key, now) {
      const all = counting(key, now);
      const left = all.filter(({ once }) => once);
      keep(key, left);
      return left.length < all.length;
    },
    sweep(now) {
      for (const key of [...byKey.keys()]) counting(key, now);
    },
  };
}
