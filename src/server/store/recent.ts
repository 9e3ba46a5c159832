/**
 * What was set lately, by key: the latest half of `most` for certain, and never more than `most`. It has two generations, and
 * forgets the older one as a whole: a Map whose first entry is deleted again and again gets slow.
 */
export interface Recent<V> {
  get(key: string): V | undefined;
  /** Sets it anew: as the latest. */
  set(key: string, value: V): void;
  delete(key: string): void;
}

/** @param dropped called with each key that is forgotten because there are too many */
export function createRecent<V>(most: number, dropped: (key: string) => void = () => {}): Recent<V> {
  let older = new Map<string, V>();
  let newer = new Map<string, V>();
  return {
    get: (key) => newer.get(key) ?? older.get(key),
    set(key, value) {
      older.delete(key);
      newer.set(key, value);
      if (newer.size < most / 2) return;
      const gone = older;
      older = newer;
      newer = new Map();
      for (const forgotten of gone.keys()) dropped(forgotten);
    },
    delete(key) {
      older.delete(key);
      newer.delete(key);
    },
  };
}
