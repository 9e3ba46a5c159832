/** New credentials for a session: one flight at a time, however many streams were refused. */
export interface Refresher {
  /** Asks, unless the answer is on its way already. */
  start(): void;
  /** Nobody wants the answer any more. */
  cancel(): void;
}

/**
 * Calls the app's `refresh`. `answered` gets `undefined` for success, or the words that say why there are no new
 * credentials; it is not called after `cancel`.
 */
export function createRefresher(
  refresh: ((signal: AbortSignal) => Promise<unknown>) | undefined,
  reportError: (error: unknown) => void,
  answered: (failure: string | undefined) => void,
): Refresher {
  let flight: AbortController | undefined;

  async function ask(call: (signal: AbortSignal) => Promise<unknown>, own: AbortController): Promise<void> {
    let failure: string | undefined;
    try {
      if ((await call(own.signal)) === false) failure = "unauthenticated: signed out";
    } catch (error) {
      failure = `unauthenticated: the refresh failed: ${error instanceof Error ? error.message : String(error)}`;
      if (flight === own) reportError(error);
    }
    if (flight !== own) return;
    flight = undefined;
    answered(failure);
  }

  return {
    start() {
      if (flight || !refresh) return;
      flight = new AbortController();
      ask(refresh, flight);
    },
    cancel() {
      flight?.abort();
      flight = undefined;
    },
  };
}
