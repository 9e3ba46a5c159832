import { channel } from "node:diagnostics_channel";
import { type BuiltInReason, builtInReasons } from "../../disconnect/reasons.js";
import type { DrainProgress } from "../drain/drain.js";
import type { Stream } from "../inside/admitted-stream.js";
import type { Verdict, Words } from "../store/store.js";
import type { Report } from "../verdict/evict.js";

/** The part of a pino logger that is used. Nothing secret is logged: no headers, no tokens, no bodies. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The names of our channels of `node:diagnostics_channel`. Nothing is made for a channel that nobody listens to. */
export const channels = {
  /** A decision was recorded, before anything is cut. {@link VerdictMessage} */
  verdict: "farewell:verdict",
  /** It was carried out. {@link OutcomeMessage} */
  outcome: "farewell:outcome",
  /** A newcomer was refused. {@link RefusalMessage} */
  refusal: "farewell:refusal",
  /** A drain goes on, about once a second, or is over. {@link DrainMessage} */
  drain: "farewell:drain",
} as const;

/** Every message names the bouncer that it comes from: `Bouncer.name`. */
interface FromBouncer {
  readonly bouncer: string;
}
export interface VerdictMessage extends FromBouncer {
  readonly verdict: Verdict;
  readonly matched: number;
}
export interface OutcomeMessage extends FromBouncer {
  readonly verdict: Verdict;
  readonly report: Report;
}
export interface RefusalMessage extends FromBouncer, Refused {
  readonly words: Words;
}
export interface DrainMessage extends FromBouncer {
  readonly progress: DrainProgress;
}

/** What a bouncer has counted since it was made. */
export interface Counts {
  readonly admitted: number;
  readonly verdicts: { readonly [R in BuiltInReason]: number };
  readonly refusals: { readonly [R in BuiltInReason]: number };
  /** Streams that were put out, by how they ended. */
  readonly endings: { readonly told: number; readonly forced: number; readonly left: number; readonly failed: number };
}

/** Who was refused. */
export type Refused = Partial<Pick<Stream, "user" | "session" | "method" | "peer">>;

/** Tells loggers, diagnostics channels and counters. */
export interface Audit {
  readonly counts: Counts;
  admitted(): void;
  verdict(verdict: Verdict, matched: number): void;
  outcome(verdict: Verdict, report: Report): void;
  refusal(words: Words, who: Refused): void;
  drain(progress: DrainProgress): void;
  /** What is no verdict, such as an admin's call. */
  note(fields: object, message: string): void;
  /** What an operator should look at. */
  warn(fields: object, message: string): void;
  /** What went wrong where nobody can be told. */
  failure(error: unknown, message: string): void;
}

export function createAudit(bouncer: string, logger: Logger | undefined, reportError: (error: unknown) => void): Audit {
  const none = () => Object.fromEntries(builtInReasons.map((reason) => [reason, 0])) as Record<BuiltInReason, number>;
  const counts = {
    admitted: 0,
    verdicts: none(),
    refusals: none(),
    endings: { told: 0, forced: 0, left: 0, failed: 0 },
  };
  const open = {
    verdict: channel(channels.verdict),
    outcome: channel(channels.outcome),
    refusal: channel(channels.refusal),
    drain: channel(channels.drain),
  };

  /** A logger or a subscriber that throws must not keep a verdict from being carried out. */
  function tell(level: keyof Logger, fields: object, message: string): void {
    try {
      logger?.[level](fields, message);
    } catch (error) {
      reportError(error);
    }
  }

  return {
    counts,
    admitted() {
      counts.admitted++;
    },
    verdict(verdict, matched) {
      const { id, selector, words, by, note } = verdict;
      counts.verdicts[words.reason]++;
      tell(
        "info",
        { event: "verdict", verdict: id, ...words, selector, by, note, matched },
        `verdict: ${words.reason}`,
      );
      if (open.verdict.hasSubscribers) open.verdict.publish({ bouncer, verdict, matched } satisfies VerdictMessage);
    },
    outcome(verdict, report) {
      const { matched, told, forced, left, failed } = report;
      counts.endings.told += told;
      counts.endings.forced += forced;
      counts.endings.left += left;
      counts.endings.failed += failed;
      const fields = { event: "outcome", verdict: verdict.id, matched, told, forced, left, failed };
      tell(failed > 0 ? "warn" : "info", fields, `outcome: ${verdict.words.reason}`);
      if (open.outcome.hasSubscribers) open.outcome.publish({ bouncer, verdict, report } satisfies OutcomeMessage);
    },
    refusal(words, who) {
      counts.refusals[words.reason]++;
      if (logger) tell("debug", { event: "refusal", reason: words.reason, ...who }, `refused: ${words.reason}`);
      if (open.refusal.hasSubscribers) open.refusal.publish({ bouncer, words, ...who } satisfies RefusalMessage);
    },
    drain(progress) {
      tell("info", { event: "drain", ...progress }, progress.done ? "drain: done" : "drain");
      if (open.drain.hasSubscribers) open.drain.publish({ bouncer, progress } satisfies DrainMessage);
    },
    warn: (fields, message) => tell("warn", fields, message),
    note: (fields, message) => tell("info", fields, message),
    failure(error, message) {
      if (logger) tell("error", { event: "failure", err: error }, message);
      else reportError(error);
    },
  };
}
