import type { State, Step } from "../machine/state.js";

/**
 * What a session shares with the other tabs of its login, and with the next page after a reload. Made by `tabMemory` of
 * `farewell/browser`; its methods are no public interface.
 */
export interface Memory {
  /** What is remembered, applied to a state. `first`: for the first stream, that may come into an outage of others. */
  recall(state: State, now: number, first: boolean): Step;
  /** The session went from one state to another. */
  remember(before: State, after: State, now: number): void;
  /** Calls `changed` when another tab has remembered something, until the removal that it returns is called. */
  watch(changed: () => void): () => void;
  /** Resolves when it is this session's turn to knock. The turn is over when the signal aborts. */
  turn(signal: AbortSignal): Promise<void>;
}
