import { setImmediate as turn } from "node:timers/promises";
import type { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../ports/clock.js";
import type { AdmittedStream, Ending, Stream } from "../inside/admitted-stream.js";

/** What has come of a verdict. `matched` is the sum of the next four. */
export interface Report {
  /** Streams that were inside and meant. */
  readonly matched: number;
  /** Ended with the reason: all of it was handed to the operating system. */
  readonly told: number;
  /** Had to be reset. */
  readonly forced: number;
  /** Were gone by themselves before they could be told. */
  readonly left: number;
  /** Could neither be told nor reset. That takes a bouncer whose `contextValues` is not set. */
  readonly failed: number;
  /** The id of the verdict; `undefined` for a dry run. */
  readonly verdict: string | undefined;
  /** The streams, if `details` was set. */
  readonly streams?: readonly { readonly stream: Stream; readonly outcome: Ending | "matched" }[];
}

/** A stream that was cut is gone at once; only where it cannot be cut is this waited for. */
const goneWithinMs = 1_000;
const tellAtOnce = 100;

/**
 * Tell, then force: ends the visits with the goodbye, and resets those that have not ended after `forceAfterMs`. Neither
 * a handler that does not listen nor a reader that does not read holds it up for longer.
 */
export async function evict(
  visits: readonly AdmittedStream[],
  goodbye: ConnectError,
  forceAfterMs: number,
  clock: Clock,
): Promise<readonly Ending[]> {
  for (const [index, visit] of visits.entries()) {
    visit.tell(goodbye);
    // Of ten thousand the first would hear of it only after the last was told, if it were one turn of the event loop.
    if (index % tellAtOnce === tellAtOnce - 1) await turn();
  }
  await within(visits, forceAfterMs, clock);
  return await cut(visits, goodbye, clock);
}

/** Force alone, without a word. */
export async function cut(
  visits: readonly AdmittedStream[],
  goodbye: ConnectError,
  clock: Clock,
): Promise<readonly Ending[]> {
  const left = visits.filter(({ life }) => !life.aborted);
  for (const visit of left) visit.cut(goodbye);
  await within(left, goneWithinMs, clock);
  return await Promise.all(
    visits.map((visit): Ending | Promise<Ending> => (visit.life.aborted ? visit.gone : "failed")),
  );
}

/** Resolves when all are gone, or when the time is up. */
async function within(visits: readonly AdmittedStream[], ms: number, clock: Clock): Promise<void> {
  const timer = new AbortController();
  const gone = Promise.all(visits.map(({ gone }) => gone));
  if (visits.some(({ life }) => !life.aborted)) {
    await Promise.race([gone, clock.sleep(ms, timer.signal).catch(() => {})]); // rejects only when not wanted any more
  }
  timer.abort();
}

/** Counts how the streams have ended. */
export function reportOf(
  visits: readonly AdmittedStream[],
  outcomes: readonly (Ending | "matched")[],
  verdict: string | undefined,
  details: boolean,
): Report {
  const count = (ending: Ending) => outcomes.filter((outcome) => outcome === ending).length;
  return {
    matched: visits.length,
    told: count("told"),
    forced: count("forced"),
    left: count("left"),
    failed: count("failed"),
    verdict,
    ...(details && {
      streams: visits.map(({ stream }, index) => ({ stream, outcome: outcomes[index] as Ending | "matched" })),
    }),
  };
}
