import { functionOr, invalid, numberIn, oneOf } from "../../check/invalid.js";
import { type Bouncer, partsOf } from "../bouncer.js";
import { DrainingError } from "../drain/drain.js";
import { checkDrainOptions, type DrainOptions } from "../drain/options.js";
import type { Report } from "../inside/report.js";

/** A signal that asks a process to end. */
export type Signal = (typeof knownSignals)[number];
const knownSignals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;

/** What is done on a signal of the operating system. */
export interface DrainOnOptions extends Omit<DrainOptions, "backAt" | "signal"> {
  /** When the service is back, counted from the signal, in ms. */
  readonly backAfterMs?: number;
  /** Called when the drain is over. @default ends the process: exit code 0, or 1 if a stream was not told */
  readonly onDrained?: (report: Report) => unknown;
}

/**
 * Drains when the process gets a signal, such as SIGTERM from Kubernetes, whose grace period must be longer than `overMs`
 * and `forceAfterMs` together. A second signal ends the process at once. Returns the removal.
 *
 * @throws TypeError that names the option
 * @example
 * drainOn(["SIGTERM"], bouncer, { overMs: 20_000, message: "Deploying" });
 */
export function drainOn(
  signals: readonly Signal[],
  bouncer: Bouncer,
  { backAfterMs, onDrained, ...options }: DrainOnOptions = {},
): () => void {
  const { clock, audit, settings } = partsOf(bouncer);
  if (!Array.isArray(signals) || signals.length === 0)
    throw invalid("signals", signals, 'an array such as ["SIGTERM"]');
  for (const signal of signals) oneOf("signals", signal, knownSignals);
  checkDrainOptions(options, settings.forceAfterMs); // now, and not when it is too late
  if (backAfterMs !== undefined) numberIn("options.backAfterMs", backAfterMs, 0);
  functionOr("options.onDrained", onDrained);
  const end = onDrained ?? ((report: Report) => process.exit(report.forced + report.failed > 0 ? 1 : 0));
  const off = () => {
    for (const signal of signals) process.off(signal, start);
  };
  let begun = false;
  const start = async (signal: string): Promise<void> => {
    if (begun) process.exit(1);
    begun = true;
    audit.note({ event: "signal", signal }, `draining on ${signal}`);
    const backAt = backAfterMs === undefined ? {} : { backAt: new Date(clock.now() + backAfterMs) };
    try {
      await end(await drained({ ...options, ...backAt, by: options.by ?? signal }));
    } catch (error) {
      audit.failure(error, `the drain on ${signal} failed`);
      process.exit(1); // it was asked to end
    }
  };
  /** An admin's drain may have begun before: then that is the one. */
  const drained = async (all: DrainOptions): Promise<Report> => {
    try {
      return await bouncer.drain(all);
    } catch (error) {
      if (error instanceof DrainingError) return await error.report;
      throw error;
    }
  };
  for (const signal of signals) process.on(signal, start);
  return off;
}
