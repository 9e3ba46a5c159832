import type { Transport } from "@connectrpc/connect";
import type { Clock } from "../ports/clock.js";
import { createTimer } from "../ports/timer.js";
import { type Promised, promised } from "../stream/promised.js";

/** What a `refresh` may get beside its signal. */
export interface RefreshContext {
  /** The transport that the session was made of: what goes out on it is no part of the session. */
  readonly transport: Transport;
}

/**
 * Gets new credentials. `false`: the user is signed out. `{ expiresAt }`: when the new ones end, so that the next are got
 * before. What it throws is tried again.
 */
export type Refresh = (signal: AbortSignal, context: RefreshContext) => Promise<unknown>;

/** What came of asking. */
export type RefreshAnswer = { readonly answer: unknown } | { readonly error: unknown };

/** New credentials for a session: one flight at a time, whoever asks. */
export interface Refresher {
  /** The signal of the flight, while there is one. */
  readonly flight: AbortSignal | undefined;
  /** Somebody waits for an answer. */
  readonly asked: boolean;
  /**
   * Asks, unless the answer is on its way already. Resolves with `false` where nobody is signed in any more, and else with
   * `true`; rejects with what the app's `refresh` threw.
   */
  ask(): Promise<boolean>;
  /** The flight is given up. Who waits for its answer gets that of the next flight, or `over` where there is to be none. */
  cancel(over?: unknown): void;
}

export interface RefresherOptions extends RefreshContext {
  readonly refresh: Refresh;
  readonly refreshTimeoutMs: number;
  readonly clock: Clock;
  /** An answer has come, to a flight that was not given up. */
  readonly answered: (answer: RefreshAnswer) => void;
}

export function createRefresher({
  refresh,
  refreshTimeoutMs,
  clock,
  transport,
  answered,
}: RefresherOptions): Refresher {
  const timer = createTimer(clock);
  let flight: AbortController | undefined;
  let asked: Promised<boolean> | undefined;

  function land(own: AbortController, answer: RefreshAnswer): void {
    if (flight !== own) return;
    const waiting = asked;
    flight = asked = undefined;
    timer.stop();
    if ("error" in answer) waiting?.reject(answer.error);
    else waiting?.resolve(answer.answer !== false);
    answered(answer);
  }

  function takeOff(): void {
    const own = new AbortController();
    flight = own;
    timer.start(refreshTimeoutMs, () => {
      const error = new Error(`refresh: no answer within ${refreshTimeoutMs} ms`);
      own.abort(error);
      land(own, { error });
    });
    const call = async () => refresh(own.signal, { transport });
    call().then(
      (answer) => land(own, { answer }),
      (error) => land(own, { error }),
    );
  }

  return {
    get flight() {
      return flight?.signal;
    },
    get asked() {
      return asked !== undefined;
    },
    ask() {
      if (!asked) {
        asked = promised();
        asked.promise.catch(() => {}); // nobody need look at it
      }
      const { promise } = asked;
      if (!flight) takeOff();
      return promise;
    },
    cancel(over) {
      timer.stop();
      flight?.abort();
      flight = undefined;
      if (over === undefined) return;
      asked?.reject(over);
      asked = undefined;
    },
  };
}
