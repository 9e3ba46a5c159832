import type { DrainProgress, Report } from "../inside/report.js";
import type { Verdict, Words } from "../words/words.js";
import { createPublisher, type Refused } from "./channels.js";
import { type Counts, createCounters } from "./counters.js";
import { type Logger, safeLogger } from "./logger.js";

/** Tells loggers, diagnostics channels and counters. */
export interface Audit {
  counts(): Counts;
  admitted(): void;
  verdict(verdict: Verdict, matched: number): void;
  outcome(verdict: Verdict, report: Report): void;
  refusal(words: Words, who: Refused): void;
  drain(progress: DrainProgress): void;
  /** What is no verdict, such as an admin's call. */
  note(fields: object, message: string): void;
  /** What an operator should look at. Told once. */
  warnOnce(fields: object, message: string): void;
  /** What went wrong where nobody can be told. */
  failure(error: unknown, message: string): void;
  /** The same, told once. */
  failureOnce(error: unknown, message: string): void;
}

export function createAudit(bouncer: string, logger: Logger | undefined, reportError: (error: unknown) => void): Audit {
  const log = safeLogger(logger, reportError);
  const publish = createPublisher(bouncer);
  const counters = createCounters();
  const told = new Set<string>();

  function once(message: string, tell: () => void): void {
    if (told.has(message)) return;
    told.add(message);
    tell();
  }

  function failure(error: unknown, message: string): void {
    if (logger) log.error({ event: "failure", err: error }, message);
    else reportError(error);
  }

  return {
    counts: counters.counts,
    admitted: counters.admitted,
    verdict(verdict, matched) {
      const { id, selector, words, by, note } = verdict;
      counters.verdict(words.reason);
      log.info({ event: "verdict", verdict: id, ...words, selector, by, note, matched }, `verdict: ${words.reason}`);
      publish("verdict", () => ({ verdict, matched }));
    },
    outcome(verdict, report) {
      const { matched, told, forced, left, failed } = report;
      counters.endings(report);
      const fields = { event: "outcome", verdict: verdict.id, matched, told, forced, left, failed };
      log[failed > 0 ? "warn" : "info"](fields, `outcome: ${verdict.words.reason}`);
      publish("outcome", () => ({ verdict, report }));
    },
    refusal(words, who) {
      counters.refusal(words.reason);
      if (logger) log.debug({ event: "refusal", reason: words.reason, ...who }, `refused: ${words.reason}`);
      publish("refusal", () => ({ words, ...who }));
    },
    drain(progress) {
      log.info({ event: "drain", ...progress }, progress.done ? "drain: done" : "drain");
      publish("drain", () => ({ progress }));
    },
    note: log.info,
    warnOnce: (fields, message) => once(message, () => log.warn(fields, message)),
    failure,
    failureOnce: (error, message) => once(message, () => failure(error, message)),
  };
}
