/** A caller's live input, handed from one attempt to the next. */
export interface ReplayableInput<T> {
  /** The first message, once it was read. */
  readonly first: T | undefined;
  /** The input of one attempt: `preamble`, then what the caller sends. It ends early when `retire` is called. */
  open(preamble: Iterable<T>): { readonly input: AsyncIterable<T>; readonly retire: () => void };
  /** Tells the caller's input that nobody reads it any more, and why if the stream has failed. */
  close(reason: unknown): void;
}

/**
 * Reads `source` once, for any number of attempts one after the other. A message that was asked for by an attempt that
 * has ended meanwhile goes to the next one; a message that an attempt took may be lost with it. What `source` throws is
 * the caller's own error and goes to `failed`: to a transport it would look like a lost stream.
 *
 * @param copy of the first message, which is kept
 * @param early the first message is taken at once, not when an attempt asks for it: it is the request
 */
export function createReplayableInput<T>(
  source: AsyncIterable<T>,
  failed: (error: unknown) => void,
  copy: (first: T) => T,
  early: boolean,
): ReplayableInput<T> {
  const iterator = source[Symbol.asyncIterator]();
  let ahead: Promise<IteratorResult<T>> | undefined;
  let first: T | undefined;
  let begun = false;
  const end: IteratorResult<T> = { done: true, value: undefined };

  function read(): Promise<IteratorResult<T>> {
    const next = iterator.next();
    return begun ? next : next.then((result) => (result.done ? result : { value: copy(result.value) }));
  }
  if (early) {
    ahead = read();
    ahead.catch(failed);
  }
  return {
    get first() {
      return first;
    },
    open(preamble) {
      const opening = preamble[Symbol.iterator]();
      let retired = false;
      let settle: ((result: IteratorResult<T>) => void) | undefined;
      const retire = () => {
        retired = true;
        settle?.(end);
        return Promise.resolve(end);
      };
      const next = (): Promise<IteratorResult<T>> => {
        if (retired) return Promise.resolve(end);
        const opener = opening.next();
        if (!opener.done) return Promise.resolve(opener);
        ahead ??= read();
        const reading = ahead;
        return new Promise((resolve) => {
          settle = resolve;
          reading.then((result) => {
            if (retired) return; // it stays in `ahead`
            if (ahead === reading && !result.done) ahead = undefined;
            if (!begun && !result.done) [begun, first] = [true, result.value];
            resolve(result);
          }, failed);
        });
      };
      // Connect asks for a second iterator to tell the input that a call has ended; it is this attempt that has.
      const input: AsyncIterableIterator<T> = {
        [Symbol.asyncIterator]: () => input,
        next,
        return: retire,
        throw: retire,
      };
      return { input, retire };
    },
    close(reason) {
      const ignore = () => {}; // the caller's generator is told; what it answers concerns nobody
      const thrown = async () => reason !== undefined && iterator.throw?.(reason);
      const returned = async () => iterator.return?.();
      thrown().catch(ignore);
      returned().catch(ignore);
    },
  };
}
