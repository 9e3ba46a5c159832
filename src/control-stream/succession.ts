/** The call that is there, and the one that is to take its place as soon as it is welcomed. */
export interface Succession {
  /** There is one, or one is being made. */
  readonly there: boolean;
  /** One for the place that is empty. */
  begin(): AbortController;
  /** One that is to take the place of the one there. Another that was to do so is given up. */
  beginNext(): AbortController;
  /** It has the place from now on. */
  welcomed(own: AbortController): void;
  /** Which one has ended; `undefined` where it was given up. */
  ended(own: AbortController): "first" | "next" | undefined;
  /** All are given up. */
  stop(): void;
}

export function createSuccession(): Succession {
  let first: AbortController | undefined;
  let next: AbortController | undefined;
  return {
    get there() {
      return first !== undefined;
    },
    begin() {
      first = new AbortController();
      return first;
    },
    beginNext() {
      next?.abort();
      next = new AbortController();
      return next;
    },
    welcomed(own) {
      if (own !== next) return;
      const old = first;
      first = own;
      next = undefined;
      old?.abort();
    },
    ended(own) {
      const which = own === next ? "next" : own === first ? "first" : undefined;
      if (which === "next") next = undefined;
      if (which === "first") first = undefined;
      return which;
    },
    stop() {
      const all = [first, next];
      first = next = undefined; // before: what comes of the abort concerns nobody
      for (const own of all) own?.abort();
    },
  };
}
