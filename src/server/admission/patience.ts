import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../ports/clock.js";
import { after } from "../../ports/timer.js";
import type { Awaitable } from "../store/store.js";

/** What was asked has not answered in time. */
export class TooLateError extends Error {
  override readonly name = "TooLateError";
}

/**
 * Asks the app's own code, or a store, on behalf of a call. It may never answer: then this rejects when the time is up, or when
 * the client has left, and nothing is kept for the call.
 *
 * @param late gets an answer that has come too late, to undo what it has done
 */
export type Patience = <T>(ask: () => Awaitable<T>, signal: AbortSignal, late?: (answer: T) => void) => Promise<T>;

const enough = new Error("settled"); // made once: it only stops timers

export function createPatience(withinMs: number, clock: Clock): Patience {
  return (ask, signal, late) => {
    const asked = ask();
    return isPromise(asked) ? within(asked, signal, late) : Promise.resolve(asked);
  };

  function within<T>(asked: Promise<T>, signal: AbortSignal, late: ((answer: T) => void) | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = new AbortController();
      let waits = true;
      const stop = (then: () => void) => {
        if (!waits) return;
        waits = false;
        timer.abort(enough);
        signal.removeEventListener("abort", leave);
        then();
      };
      const leave = () => stop(() => reject(leftOf(signal)));
      asked.then(
        (answer) => {
          if (waits) stop(() => resolve(answer));
          else late?.(answer);
        },
        (error) => stop(() => reject(error)),
      );
      after(clock, withinMs, timer.signal, () =>
        stop(() => reject(new TooLateError(`no answer within ${withinMs} ms`))),
      );
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave);
    });
  }
}

/** Connect's own word for it, if it has one: the client's deadline may have passed. */
function leftOf({ reason }: AbortSignal): ConnectError {
  return reason instanceof ConnectError ? reason : new ConnectError("the client has left", Code.Canceled);
}

function isPromise<T>(answer: Awaitable<T>): answer is Promise<T> {
  return typeof answer === "object" && answer !== null && "then" in answer && typeof answer.then === "function";
}
