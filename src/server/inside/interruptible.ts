/** An async iterable that can be ended from outside, wherever its source is stuck. */
export interface Interruptible<T> {
  readonly iterable: AsyncIterable<T>;
  /** The reader gets the error: now if it waits, else when it reads on. Only the first one counts. */
  interrupt(error: Error): void;
}

/**
 * @param ended called when the reader has come to an end, whichever; may be called more than once
 * @param late gets what the source throws after it was interrupted
 */
export function interruptible<T>(
  source: AsyncIterable<T>,
  ended: () => void,
  late: (error: unknown) => void,
): Interruptible<T> {
  const iterator = source[Symbol.asyncIterator]();
  let interruption: Error | undefined;
  let waiting: ((error: Error) => void) | undefined;

  const next = (): Promise<IteratorResult<T>> => {
    if (interruption) {
      ended();
      return Promise.reject(interruption);
    }
    // By hand: `Promise.race` against something that lives long would keep every message.
    return new Promise((resolve, reject) => {
      waiting = reject;
      iterator.next().then(
        (result) => {
          waiting = undefined;
          if (result.done) ended();
          resolve(result);
        },
        (error) => {
          waiting = undefined;
          if (interruption) late(error);
          else ended();
          reject(error);
        },
      );
    });
  };

  return {
    iterable: {
      [Symbol.asyncIterator]: () => ({
        next,
        return: async (value?: unknown) => {
          ended();
          return (await iterator.return?.(value)) ?? { done: true, value: value as T };
        },
        throw: async (error?: unknown) => {
          ended();
          if (!iterator.throw) throw error;
          return await iterator.throw(error);
        },
      }),
    },
    interrupt(error) {
      if (interruption) return;
      interruption = error;
      if (waiting) {
        waiting(error);
        ended();
      }
    },
  };
}
