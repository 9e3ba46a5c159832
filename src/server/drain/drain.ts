import type { Clock } from "../../ports/clock.js";
import { guarded } from "../../ports/guarded.js";
import { within } from "../../ports/timer.js";
import type { Closing } from "../admission/closing.js";
import type { Audit } from "../audit/audit.js";
import type { Registry } from "../inside/registry.js";
import type { DrainProgress, Report } from "../inside/report.js";
import type { ControlStreams } from "../verdict/control-streams.js";
import type { Verdicts } from "../verdict/verdicts.js";
import { eventOf } from "../words/event-of.js";
import type { Verdict, Words } from "../words/words.js";
import { clientsOf, inTurn, sendAway } from "./in-turn.js";
import { type CheckedDrainOptions, checkDrainOptions, type DrainOptions } from "./options.js";
import { watchDrain } from "./progress.js";
import { type Absence, announcementOf, createSlots, spread } from "./slots.js";

/** The server is being drained already. Aborting that drain's signal lets newcomers in again. */
export class DrainingError extends Error {
  override readonly name = "DrainingError";
  /** What will have come of the drain that goes on. */
  readonly report: Promise<Report>;

  constructor(report: Promise<Report>) {
    super("drain: already under way, or over with the door closed; only aborting its signal opens it again");
    this.report = report;
  }
}

/** What a drain needs. */
export interface DrainParts {
  readonly settings: { readonly forceAfterMs: number; readonly acceptPerSecond: number | undefined };
  readonly clock: Clock;
  readonly registry: Registry;
  readonly controlStreams: ControlStreams;
  readonly closing: Closing;
  readonly audit: Audit;
  readonly verdicts: Verdicts;
}

/** Refuses newcomers and ends everybody, spread over a time. */
export interface Drain {
  start(options?: DrainOptions): Promise<Report>;
  /**
   * The same for a process that is to end: it goes on if the store does not record it. Where another drain goes on, that is the
   * one, unless it still waits for the store, or is called off.
   */
  last(options: DrainOptions): Promise<LastReport>;
  /** How far the last one is, or how it ended. */
  readonly progress: DrainProgress | undefined;
}

/** What has come of the last drain of a process. */
export interface LastReport extends Report {
  /** The store has recorded it. False: it failed, or has not answered; clients were told all the same. */
  readonly recorded: boolean;
}

/** So long the last drain of a process waits for the store before it goes on. */
const recordWithinMs = 1_000;

export function createDrain(parts: DrainParts): Drain {
  const { closing, settings, verdicts, clock } = parts;
  let current: Current | undefined; // one that goes on, or has closed the door for good
  let progress: DrainProgress | undefined;

  function begin(options: CheckedDrainOptions, record: Record): Current {
    let tellBegun = () => {};
    const begun = new Promise<void>((resolve) => {
      tellBegun = resolve;
    });
    const report = drain(options, parts, record, (now) => {
      progress = now;
      tellBegun();
    });
    const own: Current = { report, begun };
    current = own;
    const reopen = () => {
      if (current !== own) return;
      current = undefined;
      closing.reopen();
    };
    options.signal?.addEventListener("abort", reopen, { once: true });
    own.report.catch(reopen); // nothing was done
    return own;
  }

  return {
    get progress() {
      return progress;
    },
    async start(options = {}) {
      const checked = checkDrainOptions(options, settings.forceAfterMs);
      if (current) throw new DrainingError(current.report);
      checked.signal?.throwIfAborted();
      return await begin(checked, async (...what) => (await verdicts.record(...what)).verdict).report;
    },
    async last(options) {
      const other = current;
      const begun = other !== undefined && (await hasBegun(other, clock));
      if (begun) {
        const report = await other.report;
        if (current === other) return { ...report, recorded: true };
      } // it was called off: who is still inside has to be told
      const withinMs = other && !begun ? 0 : recordWithinMs; // the other one has waited for the store
      let isRecorded = () => false;
      const { report } = begin(checkDrainOptions(options, settings.forceAfterMs), async (...what) => {
        const recording = await verdicts.recordWithin(withinMs, ...what);
        isRecorded = recording.isRecorded;
        return recording.verdict;
      });
      return { ...(await report), recorded: isRecorded() };
    },
  };
}

interface Current {
  readonly report: Promise<Report>;
  /** Resolves when it is recorded, and clients are told. */
  readonly begun: Promise<void>;
}

/** Whether a drain gets past the store in time. */
async function hasBegun({ begun, report }: Current, clock: Clock): Promise<boolean> {
  const over = report.then(
    () => true,
    () => false,
  );
  const either = Promise.race([begun.then(() => true), over]);
  return (await within(recordWithinMs, either, clock)) ?? false;
}

/** Records what is decided. Rejects where nothing is to be done without that. */
type Record = (...what: Parameters<Verdicts["record"]>) => Promise<Verdict>;

/**
 * One drain, from its first word to its last. Clients, not streams, are given a slot for their return: all streams of a
 * session end together, for it knocks once.
 */
async function drain(
  options: CheckedDrainOptions,
  parts: DrainParts,
  record: Record,
  tell: (progress: DrainProgress) => void,
): Promise<Report> {
  const { overMs, forceAfterMs, signal, attribution } = options;
  const { registry, controlStreams, clock, audit, verdicts, closing } = parts;
  const start = clock.monotonic();
  const streams = registry.find({ all: true });
  const clients = clientsOf(streams);
  const absence = absenceOf(options, clock);
  const wordsFor = createSlots(absence, returnPerSecond(options, parts, clients.length), clients.length, clock);
  closing.close(() => refusalAt(clock.monotonic(), absence, wordsFor));

  const decision = { selector: { all: true }, words: absence.words } as const;
  const recording = { ...attribution, mode: "tell", forceAfterMs, everywhere: false } as const;
  const verdict = await record(decision, streams, recording);
  controlStreams.post(controlStreams.of(streams), eventOf("notice", announcementOf(absence, clock), clock.now()));
  const watch = watchDrain({ streams, endsAt: start + overMs, verdict: verdict.id, clock }, (progress) => {
    tell(progress);
    audit.drain(progress);
    void guarded(
      () => options.onProgress?.(progress),
      (error) => audit.failure(error, "onProgress failed"),
    );
  });
  try {
    await inTurn(clients, spread(clients.length, start, overMs), clock, signal, async (client) => {
      await sendAway(client, watch.ended, (inside) =>
        verdicts.evict(inside, { verdict, words: wordsFor(), mode: "tell", forceAfterMs }),
      );
    });
    audit.outcome(verdict, watch.report());
    return watch.done();
  } finally {
    watch.stop();
  }
}

/** Clients that are told one after the other are told of the same moment, also if the wall clock is set in between. */
function absenceOf({ message, localized, backAt }: CheckedDrainOptions, clock: Clock): Absence {
  const back = backAt === undefined ? undefined : clock.monotonic() + backAt - clock.now();
  return { words: { reason: "maintenance", message, ...(localized && { localized }) }, backAt: back };
}

/** As many clients come back in a second as the app says, as are let in here, or as leave by the plan. 0: not known. */
function returnPerSecond(
  { overMs, returnPerSecond }: CheckedDrainOptions,
  { settings }: DrainParts,
  clients: number,
): number {
  const asTheyLeave = overMs > 0 ? clients / (overMs / 1_000) : 0;
  return returnPerSecond ?? settings.acceptPerSecond ?? asTheyLeave;
}

/** Who is refused here may be let in elsewhere, and takes a slot only if all wait for the same date. */
function refusalAt(now: number, { words, backAt }: Absence, wordsFor: () => Words): Words {
  return backAt !== undefined && now < backAt ? wordsFor() : words;
}
