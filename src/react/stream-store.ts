import { expected } from "#check";
import type { Disconnect } from "../disconnect/disconnect.js";
import { disconnectOf } from "../disconnect/error-of.js";
import { atOnce } from "../ports/guarded.js";
import { follow as listen } from "../stream/hooks.js";

/** Opens one stream. `signal` aborts when nobody wants it any more: hand it on to the call. */
export type OpenStream<M> = (signal: AbortSignal) => AsyncIterable<M>;

/** Takes one more message into the value. What it leaves the same value renders nothing. */
export type Reduce<M, V> = (value: V, message: M) => V;

/**
 * Where a stream stands that a component follows, and what has come of it: a union discriminated by `status`. `V` is
 * the type of the value, `Start` that of the value before the first message.
 */
export type Following<V, Start = V> =
  /** No message yet. A stream on which nobody speaks stays so. */
  | (Followed<Start> & { readonly status: "pending"; readonly error: undefined; readonly disconnect: undefined })
  /** Messages came. Also while the session reconnects: `useDisconnect` tells what is wrong then. */
  | (Followed<V> & { readonly status: "open"; readonly error: undefined; readonly disconnect: undefined })
  /** The server finished it. */
  | (Followed<V | Start> & { readonly status: "complete"; readonly error: undefined; readonly disconnect: undefined })
  /** It ended with an error and does not come back by itself. `disconnect`: what `disconnectOf` says of the error. */
  | (Followed<V | Start> & {
      readonly status: "failed";
      readonly error: unknown;
      readonly disconnect: Disconnect | undefined;
    });

interface Followed<V> {
  readonly value: V;
  /**
   * What the stream has missed since it was opened: `undefined`: nothing that is known of; a number: so many messages;
   * `"unknown"`: something may be missing, so fetch anew what must be complete. Known of what a client's method returned.
   */
  readonly gap: number | "unknown" | undefined;
  /**
   * Opens the stream anew, from the start value, for a "try again" button or after `session.restart()`. The same
   * function as long as the `deps` are the same. Does nothing once the component is gone.
   */
  readonly again: () => void;
}

/** A stream as an external store, in React's sense: it runs while somebody has subscribed. */
export interface StreamStore<M, V> {
  readonly subscribe: (changed: () => void) => () => void;
  readonly current: () => Following<V>;
  /** How it begins, and all that a server renders. */
  readonly pending: () => Following<V>;
  /** What counts from the next opening and the next message on. */
  use(open: OpenStream<M>, reduce: Reduce<M, V>): void;
}

/**
 * React is told of messages after so many turns of the microtask queue in which none came. It renders in a microtask
 * itself: a hundred messages that came in one piece would be a hundred renders. They are 7 to 15 turns apart over the
 * wire, and 43 over a router in memory.
 */
const quietTurns = 64;

export function createStreamStore<M, V>(open: OpenStream<M>, reduce: Reduce<M, V>, start: V): StreamStore<M, V> {
  let gap: Followed<V>["gap"];
  const pending = state("pending", start);
  let current = pending;
  let changed: (() => void) | undefined; // React, as long as it listens
  let run: AbortController | undefined;
  let turnsLeft = 0;

  function state(status: Following<V>["status"], value: V, error?: unknown, disconnect?: Disconnect): Following<V> {
    return { status, value, error, disconnect, gap, again } as Following<V>;
  }

  function stop(): void {
    run?.abort();
    run = undefined;
    gap = undefined;
    current = pending;
  }

  function again(): void {
    if (!changed) return;
    stop();
    follow();
    changed();
  }

  /** In a moment: StrictMode leaves and comes back in the same one, and what has been left is to be canceled first. */
  function settle(): void {
    queueMicrotask(() => {
      if (!changed) stop();
      else if (!run) follow();
    });
  }

  /** Never rejects. What comes after the abort is nobody's: late messages, and the error that the abort itself causes. */
  async function follow(): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    const become = (next: Following<V>) => {
      if (signal.aborted) return;
      current = next;
      tell();
    };
    const miss = (missed: number | undefined) => {
      if (signal.aborted) return;
      gap = missed === undefined || gap === "unknown" ? "unknown" : (gap ?? 0) + missed;
      become({ ...current, gap });
    };
    run = controller;
    let value = start;
    try {
      const stream = atOnce(open(signal));
      expected(Boolean(stream?.[Symbol.asyncIterator]), "open", stream, "an AsyncIterable to be returned");
      listen(stream, {
        onGap: ({ missed }) => miss(missed),
        onReopened: ({ gap }) => gap === "unknown" && miss(undefined),
      });
      for await (const message of stream) {
        if (signal.aborted) return;
        const before = value;
        try {
          value = atOnce(reduce(value, message));
        } catch (error) {
          become(state("failed", value, error)); // without waiting for the stream to end: it may not
          controller.abort();
          return;
        }
        if (current.status === "pending" || !Object.is(value, before)) become(state("open", value));
      }
      become(state("complete", value));
    } catch (error) {
      become(state("failed", value, error, disconnectOf(error)));
    }
  }

  async function tell(): Promise<void> {
    const idle = turnsLeft === 0;
    turnsLeft = quietTurns;
    if (!idle) return;
    for (; turnsLeft > 0; turnsLeft--) await undefined;
    changed?.();
  }

  return {
    current: () => current,
    pending: () => pending,
    subscribe(listener) {
      changed = listener;
      settle();
      return () => {
        changed = undefined;
        settle();
      };
    },
    use(...latest) {
      [open, reduce] = latest;
    },
  };
}
