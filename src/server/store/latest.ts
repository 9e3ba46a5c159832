/** Things of users, in the order in which they came. Of each user the latest few are kept. */
export interface Latest<T> {
  /** Adds one as the latest. Answers with those that are one too many; they are not kept any more. */
  add(user: string | undefined, thing: T): readonly T[];
  delete(user: string | undefined, thing: T): void;
}

/** @param most how many a user may have; `undefined`: all that are nobody's together */
export function createLatest<T>(most: (user: string | undefined) => number): Latest<T> {
  const byUser = new Map<string | undefined, Set<T>>();
  return {
    add(user, thing) {
      const things = byUser.get(user) ?? new Set();
      byUser.set(user, things);
      things.delete(thing);
      things.add(thing);
      const [oldest] = things;
      if (things.size <= most(user) || oldest === undefined) return [];
      things.delete(oldest);
      return [oldest];
    },
    delete(user, thing) {
      const things = byUser.get(user);
      things?.delete(thing);
      if (things?.size === 0) byUser.delete(user);
    },
  };
}
