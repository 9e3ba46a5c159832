import { type BuiltInReason, builtInReasons } from "../../disconnect/reasons.js";
import type { Report } from "../inside/report.js";

/** What a bouncer has counted since it was made. */
export interface Counts {
  /** Streams that were let in. */
  readonly admitted: number;
  /** Decisions, by reason. */
  readonly verdicts: { readonly [R in BuiltInReason]: number };
  /** Calls that were not let in, by reason. */
  readonly refusals: { readonly [R in BuiltInReason]: number };
  /** Streams that were put out, by how they ended. */
  readonly endings: { readonly told: number; readonly forced: number; readonly left: number; readonly failed: number };
}

/** Counts. */
export interface Counters {
  /** A copy of what was counted so far. */
  counts(): Counts;
  admitted(): void;
  verdict(reason: BuiltInReason): void;
  refusal(reason: BuiltInReason): void;
  endings(report: Report): void;
}

const kinds = ["told", "forced", "left", "failed"] as const;

export function createCounters(): Counters {
  const none = () => Object.fromEntries(builtInReasons.map((reason) => [reason, 0])) as Record<BuiltInReason, number>;
  const counted = {
    admitted: 0,
    verdicts: none(),
    refusals: none(),
    endings: { told: 0, forced: 0, left: 0, failed: 0 },
  };
  return {
    counts: () => structuredClone(counted),
    admitted: () => void counted.admitted++,
    verdict: (reason) => void counted.verdicts[reason]++,
    refusal: (reason) => void counted.refusals[reason]++,
    endings(report) {
      for (const kind of kinds) counted.endings[kind] += report[kind];
    },
  };
}
