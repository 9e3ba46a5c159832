/** Why nothing may go out now, though nothing is wrong with the server. */
export type Pause = "offline" | "hidden" | "frozen" | "asleep";

/** What is known of the device and the page around a session. Injected, like the clock. */
export interface Environment {
  /** Why nothing may go out now, or `undefined`. */
  readonly pause: Pause | undefined;
  /** Calls `changed` after each change of `pause`, until the removal that it returns is called. */
  watch(changed: () => void): () => void;
}
