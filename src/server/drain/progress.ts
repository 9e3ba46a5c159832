import type { Clock } from "../../ports/clock.js";
import type { AdmittedStream, Ending } from "../inside/admitted-stream.js";
import { type DrainProgress, type Report, reportOf } from "../inside/report.js";

/** What is known of a drain at its start. */
export interface DrainPlan {
  /** Streams that were inside at its start. */
  readonly streams: readonly AdmittedStream[];
  /** When the last of them is ended, by the monotonic clock. */
  readonly endsAt: number;
  /** The id of its verdict. */
  readonly verdict: string;
  readonly clock: Clock;
}

/** How far a drain is: told at its start, about once a second, and at its end. */
export interface DrainWatch {
  /** A stream has ended. */
  ended(admitted: AdmittedStream, ending: Ending): void;
  report(): Report;
  /** Tells that the drain is over, and answers with its report. */
  done(): Report;
  /** Nothing more is told. */
  stop(): void;
}

const everyMs = 1_000;

export function watchDrain(plan: DrainPlan, tell: (progress: DrainProgress) => void): DrainWatch {
  const { streams, endsAt, verdict, clock } = plan;
  const endings = new Map<AdmittedStream, Ending>();
  const over = new AbortController();
  const report = () => reportOf(endings, verdict, false);

  function progress(done: boolean): DrainProgress {
    const inside = streams.filter(({ life }) => !life.aborted).length;
    const leftMs = done ? 0 : Math.max(0, endsAt - clock.monotonic());
    return { total: streams.length, inside, report: report(), leftMs, done };
  }

  function tellAgain(): void {
    clock.sleep(everyMs, over.signal).then(
      () => {
        tell(progress(false));
        tellAgain();
      },
      () => {}, // over
    );
  }

  tell(progress(false));
  tellAgain();
  return {
    ended: (admitted, ending) => void endings.set(admitted, ending),
    report,
    done() {
      const last = progress(true);
      tell(last);
      return last.report;
    },
    stop: () => over.abort(),
  };
}
