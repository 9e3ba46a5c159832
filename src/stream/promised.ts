/** A promise in the hands of who keeps it. */
export interface Promised<T> {
  readonly promise: Promise<T>;
  readonly settled: boolean;
  /** Does nothing once it is settled; so does `reject`. */
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function promised<T>(): Promised<T> {
  let settled = false;
  let keep: (value: T) => void = () => {};
  let breakIt: (error: unknown) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => {
    [keep, breakIt] = [resolve, reject];
  });
  return {
    promise,
    get settled() {
      return settled;
    },
    resolve(value) {
      settled = true;
      keep(value);
    },
    reject(error) {
      settled = true;
      breakIt(error);
    },
  };
}
