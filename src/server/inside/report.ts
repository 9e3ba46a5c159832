import type { Ending, Stream, StreamOfClient } from "./admitted-stream.js";

/** What has come of a verdict. `matched` is the sum of the next four. */
export interface Report {
  /** Streams that were inside and meant; with `holdMs` also clients that had left a short while before. */
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

/** How far a drain is. */
export interface DrainProgress {
  /** Streams that were inside at its start. */
  readonly total: number;
  /** Streams that are still inside. */
  readonly inside: number;
  /** What has come of it so far. */
  readonly report: Report;
  /** Ms until the last stream is ended, by plan. */
  readonly leftMs: number;
  /** It is over. */
  readonly done: boolean;
}

/** What has become of each stream, in the order in which that was known. `matched`: nothing, for it is a dry run. */
export type Endings = ReadonlyMap<StreamOfClient, Ending | "matched">;

/** Counts how the streams have ended. */
export function reportOf(endings: Endings, verdict: string | undefined, details: boolean): Report {
  const count = (ending: Ending) => [...endings.values()].filter((outcome) => outcome === ending).length;
  return {
    matched: endings.size,
    told: count("told"),
    forced: count("forced"),
    left: count("left"),
    failed: count("failed"),
    verdict,
    ...(details && { streams: [...endings].map(([{ stream }, outcome]) => ({ stream, outcome })) }),
  };
}
