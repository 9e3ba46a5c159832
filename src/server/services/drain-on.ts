import { functionOr, invalid, numberIn, oneOf } from "../../check/invalid.js";
import { within } from "../../ports/timer.js";
import { dateOf } from "../admission/ledger.js";
import { type Bouncer, partsOf } from "../bouncer.js";
import type { LastReport } from "../drain/drain.js";
import { checkDrainOptions, type DrainOptions } from "../drain/options.js";
import { type Absence, announcementOf } from "../drain/slots.js";
import type { UnaryOutcome } from "../inside/unary-calls.js";

/** A signal that asks a process to end. */
export type Signal = (typeof knownSignals)[number];
const knownSignals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;

/** What has come of a drain on a signal. */
export interface DrainOnReport extends LastReport {
  /** The unary calls that were worked on when the last stream was ended: what `forceAfterMs` was enough for, and the rest. */
  readonly calls: UnaryOutcome;
}

/** What is done on a signal of the operating system. */
export interface DrainOnOptions extends Omit<DrainOptions, "backAt" | "signal"> {
  /** When the service is back, counted from the signal, in ms. */
  readonly backAfterMs?: number;
  /**
   * Called when the drain is over. @default ends the process: exit code 0, or 1 if a stream was not told or a unary call was
   * not finished, or else 2 if the store has not recorded the drain
   */
  readonly onDrained?: (report: DrainOnReport) => unknown;
}

/**
 * Drains when the process gets a signal, such as SIGTERM from Kubernetes, whose grace period must be two seconds longer than
 * `overMs` and `forceAfterMs` together. When the last streams are ended, new unary calls are refused with `maintenance`, and those
 * that are worked on are waited for, for `forceAfterMs`. A second signal ends the process at once. Clients are told all the same
 * where the store fails, or does not answer within a second: all is over two seconds after `overMs` and `forceAfterMs` at the
 * latest. A drain that goes on already, begun by hand, is waited for as long as it takes. Returns the removal.
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
  const { clock, audit, settings, closing, calls, drain } = partsOf(bouncer);
  if (!Array.isArray(signals) || signals.length === 0)
    throw invalid("signals", signals, 'an array such as ["SIGTERM"]');
  for (const signal of signals) oneOf("signals", signal, knownSignals);
  // Now, and not when it is too late.
  const { overMs, forceAfterMs, message, localized } = checkDrainOptions(options, settings.forceAfterMs);
  if (backAfterMs !== undefined) numberIn("options.backAfterMs", backAfterMs, 0);
  functionOr("options.onDrained", onDrained);
  const end = onDrained ?? ((report: DrainOnReport) => process.exit(exitCodeOf(report)));
  const off = () => {
    for (const signal of signals) process.off(signal, start);
  };
  let begun = false;
  const start = async (signal: string): Promise<void> => {
    if (begun) process.exit(1);
    begun = true;
    audit.note({ event: "signal", signal }, `draining on ${signal}`);
    const backAt = backAfterMs === undefined ? undefined : clock.monotonic() + backAfterMs;
    const back = backAt === undefined ? {} : { backAt: dateOf(backAt, clock) };
    const draining = drain.last({ ...options, ...back, by: options.by ?? signal });
    const finishing = finishCalls(draining, { words: { ...maintenance, message, localized }, backAt });
    try {
      const report = await draining;
      await end({ ...report, calls: await finishing });
    } catch (error) {
      audit.failure(error, `the drain on ${signal} failed`);
      await finishing;
      process.exit(1); // it was asked to end
    }
  };
  /** Unary calls are served until the last streams are being ended: by plan, or sooner if nobody is left. */
  const finishCalls = async (draining: Promise<LastReport>, absence: Absence): Promise<UnaryOutcome> => {
    await within(
      overMs,
      draining.catch(() => {}),
      clock,
    );
    closing.closeForAll(() => announcementOf(absence, clock));
    return await calls.finish(forceAfterMs);
  };
  for (const signal of signals) process.on(signal, start);
  return off;
}

const maintenance = { reason: "maintenance" } as const;

function exitCodeOf({ forced, failed, calls, recorded }: DrainOnReport): number {
  if (forced + failed + calls.unfinished > 0) return 1;
  return recorded ? 0 : 2;
}
