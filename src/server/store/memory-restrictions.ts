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

export function createMemoryRestrictions(): MemoryRestrictions {
  const byKey = new Map<string, readonly Restriction[]>();

  function keep(key: string, left: readonly Restriction[]): void {
    if (left.length > 0) byKey.set(key, left);
    else byKey.delete(key);
  }

  function counting(key: string, now: number): readonly Restriction[] {
    const all = byKey.get(key) ?? [];
    const left = all.filter(({ until }) => until === undefined || now < until);
    if (left.length < all.length) keep(key, left);
    return left;
  }

  return {
    get size() {
      return byKey.size;
    },
    add(restriction, now) {
      const { key, words, once } = restriction;
      const isOther = (old: Restriction) => old.words.reason !== words.reason || old.once !== once;
      keep(key, [...counting(key, now).filter(isOther), restriction]);
    },
    of: (keys, now) => (byKey.size === 0 ? [] : keys.flatMap((key) => counting(key, now))),
    remove(restriction) {
      const all = byKey.get(restriction.key) ?? [];
      keep(
        restriction.key,
        all.filter((other) => other !== restriction),
      );
    },
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
