/** What happened, in the order of ids, for those who come later and those who wait for more. */
export interface Log<T> {
  readonly entries: readonly T[];
  /** Makes the next entry of its id, and keeps it. */
  append(make: (id: number) => T): T;
  /**
   * What came after an entry, and then what will come, until the signal is aborted. Begins with a sign of life where
   * nothing has come: a client takes a stream for open when it has its first message.
   */
  follow(afterId: number, signal: AbortSignal): AsyncGenerator<T>;
}

const remembered = 500;
const heartbeatMs = 5_000;

/**
 * @param signOfLife an entry that says nothing, with the id of the one before: a client that tells positions drops it,
 *   and knows all the same that the stream is alive
 */
export function createLog<T extends { readonly id: number }>(
  signOfLife: (id: number) => T,
  past: readonly T[] = [],
): Log<T> {
  const entries = past.slice(-remembered);
  const waiting = new Set<() => void>();
  // Ids of a new log begin with the time, and so are greater than all that a client may know from the log before it.
  let lastId = entries.at(-1)?.id ?? Math.floor(Date.now() / 1_000);

  return {
    entries,
    append(make) {
      const entry = make(++lastId);
      entries.push(entry);
      if (entries.length > remembered) entries.shift();
      for (const wake of [...waiting]) wake();
      return entry;
    },
    async *follow(afterId, signal) {
      let seen = afterId;
      let due = true;
      while (!signal.aborted) {
        const news = entries.filter(({ id }) => id > seen);
        if (news.length > 0) yield* news;
        else if (due) yield signOfLife(seen);
        seen = news.at(-1)?.id ?? seen;
        due = lastId === seen && (await isSilent(signal));
      }
    },
  };

  /** Resolves with true after a while in which nothing came, with false as soon as something does. */
  function isSilent(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (silent: boolean) => {
        clearTimeout(timer);
        waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve(silent);
      };
      const wake = () => done(false);
      const timer = setTimeout(done, heartbeatMs, true);
      waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
