import type { Message } from "@bufbuild/protobuf";

/** The caller's side of a stream: what it waits for, and what it is given. */
export interface Reader {
  /** Whether the caller waits for a message. */
  readonly waits: boolean;
  next(): Promise<IteratorResult<Message>>;
  deliver(result: IteratorYieldResult<Message>): void;
  /** No more messages. `error`: what is thrown, once. A second time: the caller has left, and need not hear of it. */
  end(ending: { readonly error?: unknown }): void;
}

const done: IteratorResult<Message> = { done: true, value: undefined };

interface Pending {
  readonly resolve: (result: IteratorResult<Message>) => void;
  readonly reject: (error: unknown) => void;
}

/** `ask` is called when the caller begins to wait, and after a message for which it did, if it waits for more. */
export function createReader(ask: () => void): Reader {
  const pending: Pending[] = [];
  let ended: { readonly error?: unknown } | undefined;
  return {
    get waits() {
      return pending.length > 0;
    },
    next() {
      if (!ended) {
        return new Promise((resolve, reject) => {
          if (pending.push({ resolve, reject }) === 1) ask();
        });
      }
      if (!("error" in ended)) return Promise.resolve(done);
      const { error } = ended;
      ended = {}; // thrown once
      return Promise.reject(error);
    },
    deliver(result) {
      pending.shift()?.resolve(result);
      if (pending.length > 0) ask();
    },
    end(ending) {
      const [first, ...others] = pending.splice(0);
      ended = ended || first ? {} : ending;
      if ("error" in ending) first?.reject(ending.error);
      else first?.resolve(done);
      for (const { resolve } of others) resolve(done); // thrown once, as from a generator
    },
  };
}
