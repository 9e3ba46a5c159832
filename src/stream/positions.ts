import type { DescMethod, Message } from "@bufbuild/protobuf";
import { checkPosition } from "#check";

/** An app's `position`, whatever its method's messages are. */
export type Position = (message: Message) => number | bigint;

/** Where one stream stands, by its method's `position`. */
export interface Positions {
  /** The stream was opened again: the next message may leave a gap. */
  reopened(): void;
  /** Takes a message: `duplicate`, or how many are known to be missing before it. */
  take(message: Message): "duplicate" | number;
}

/**
 * Tells duplicates and gaps. A gap is known only where positions had no holes while the stream was open; where they
 * have, a hole after a reopening may be one of them.
 *
 * @throws TypeError from `take`, if the app's `position` answers with something that is no position
 */
export function createPositions(method: DescMethod, position: Position): Positions {
  let last: number | bigint | undefined;
  let dense = true;
  let afterReopening = false;
  return {
    reopened() {
      afterReopening = true;
    },
    take(message) {
      const at = position(message);
      checkPosition(method, at);
      if (last === undefined) {
        last = at;
        return 0;
      }
      if (at <= last) return "duplicate";
      const missed = dense ? between(last, at) : 0;
      if (missed > 0 && !afterReopening) dense = false;
      const known = afterReopening ? missed : 0;
      last = at;
      afterReopening = false;
      return known;
    },
  };
}

function between(last: number | bigint, next: number | bigint): number {
  if (typeof last === "number" && typeof next === "number") return next - last - 1;
  return Number(BigInt(next) - BigInt(last)) - 1;
}
