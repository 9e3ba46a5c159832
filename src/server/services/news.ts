/** What is told to a reader that waits for it, in order. */
export interface News<T> {
  tell(item: T): void;
  /** The next item, or `undefined` if there is none. Of more than a hundred that nobody has taken, the oldest are gone. */
  take(): T | undefined;
  /** Calls `then` once, when there is something to take, or the reader is to look again. Replaces the one before. */
  wait(then: () => void): void;
  /** Lets the reader look again. */
  wake(): void;
}

/** A reader that does not take them gets the latest. */
const most = 100;

export function createNews<T>(): News<T> {
  const untaken: T[] = [];
  let waiting: (() => void) | undefined;

  function wake(): void {
    const then = waiting;
    waiting = undefined;
    then?.();
  }

  return {
    tell(item) {
      untaken.push(item);
      if (untaken.length > most) untaken.shift();
      wake();
    },
    take: () => untaken.shift(),
    wait(then) {
      waiting = then;
      if (untaken.length > 0) wake();
    },
    wake,
  };
}
