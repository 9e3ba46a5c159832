import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../ports/clock.js";
import { within } from "../../ports/timer.js";
import type { AdmittedStream, Ending } from "../inside/admitted-stream.js";
import type { Goodbyes } from "../words/goodbye.js";

/** How each stream has ended, in the order of the streams. */
export type Ended = ReadonlyMap<AdmittedStream, Ending>;

/** A stream that was cut is gone at once; only where it cannot be cut is this waited for. */
const goneWithinMs = 1_000;
const tellAtOnce = 100;

/**
 * Tell, then force: ends the streams with a goodbye each, and resets those that have not ended after `forceAfterMs`. Neither
 * a handler that does not listen nor a reader that does not read holds it up for longer.
 */
export async function tellThenForce(
  streams: readonly AdmittedStream[],
  goodbyes: Goodbyes,
  forceAfterMs: number,
  clock: Clock,
): Promise<Ended> {
  for (const [index, admitted] of streams.entries()) {
    admitted.tell(goodbyes());
    // Of ten thousand the first would hear of it only after the last was told, if it were one turn of the event loop.
    if (index % tellAtOnce === tellAtOnce - 1) await turn();
  }
  await goneWithin(forceAfterMs, streams, clock);
  return await cut(streams, goodbyes, clock);
}

/** Force alone, without a word. */
export async function cut(streams: readonly AdmittedStream[], goodbyes: Goodbyes, clock: Clock): Promise<Ended> {
  const left = streams.filter(({ life }) => !life.aborted);
  for (const admitted of left) admitted.cut(admitted.goodbye ?? goodbyes());
  await goneWithin(goneWithinMs, left, clock);
  const endings = streams.map(
    async (admitted) => [admitted, admitted.life.aborted ? await admitted.gone : "failed"] as const,
  );
  return new Map(await Promise.all(endings));
}

/** Resolves when all are gone, or when the time is up. */
async function goneWithin(ms: number, streams: readonly AdmittedStream[], clock: Clock): Promise<void> {
  if (streams.every(({ life }) => life.aborted)) return;
  await within(ms, Promise.all(streams.map(({ gone }) => gone)), clock);
}
