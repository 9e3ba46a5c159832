import type { DescMethod, Message } from "@bufbuild/protobuf";
import { checkPosition } from "#check";
import { atOnce } from "../ports/guarded.js";
import { createRepeats } from "./repeats.js";

/** An app's `position`, whatever its method's messages are. */
export type Position = (message: Message) => number | bigint;

/** An app's `run`, whatever its method's messages are. */
export type Run = (message: Message) => unknown;

/** What a message is after those before it: `reset`: the first of a new run; a number: so many are missing before it. */
export type Place = "duplicate" | "reset" | number;

/** Where one stream stands, by its method's `position`. */
export interface Positions {
  /** The stream was opened again. `asked`: the server was asked to go on after the last message. */
  reopened(asked: boolean): void;
  /** Takes the next message. */
  take(message: Message): Place;
}

/**
 * Tells duplicates, gaps and new runs. A gap is known only where positions had no holes while the stream was open; where
 * they have, a hole after a reopening may be one of them. A new run is known by the app's `run`, else by a message after
 * a reopening that is below the last one and is no repeat. At the very position of the last one it may be a sign of life.
 *
 * @throws TypeError from `take`, if the app's `position` answers with something that is no position, such as a promise
 */
export function createPositions(method: DescMethod, position: Position, run: Run | undefined): Positions {
  const repeats = run ? undefined : createRepeats(method.output);
  let last: number | bigint | undefined;
  let lastRun: unknown;
  let dense = true;
  let afterReopening = false;

  function follows(last: number | bigint, at: number | bigint, message: Message, ofRun: unknown): Place {
    if (run && ofRun !== lastRun) return "reset";
    if (at <= last) {
      return repeats && afterReopening && at < last && !repeats.includes(at, message) ? "reset" : "duplicate";
    }
    const missed = dense ? between(last, at) : 0;
    if (missed > 0 && !afterReopening) dense = false;
    return afterReopening ? missed : 0;
  }
  return {
    reopened(asked) {
      afterReopening = true;
      repeats?.reopened(asked);
    },
    take(message) {
      const at = atOnce(position(message));
      checkPosition(method, at);
      const ofRun = atOnce(run?.(message));
      const taken = last === undefined ? 0 : follows(last, at, message, ofRun);
      if (taken === "duplicate") return taken;
      if (taken === "reset") repeats?.forget();
      repeats?.remember(at, message);
      [last, lastRun, afterReopening] = [at, ofRun, false];
      return taken;
    },
  };
}

function between(last: number | bigint, next: number | bigint): number {
  if (typeof last === "number" && typeof next === "number") return next - last - 1;
  return Number(BigInt(next) - BigInt(last)) - 1;
}
