import { functionOr, invalid, numberIn, objectOf } from "../../check/invalid.js";
import { checkTime, checkWords } from "../../check/words.js";
import type { LocalizedText } from "../../disconnect/disconnect.js";
import { builtInReasons } from "../../disconnect/reasons.js";
import type { House } from "../house.js";
import { type AdmittedStream, clientOf, type Ending } from "../inside/admitted-stream.js";
import type { Words } from "../store/store.js";
import { type Report, reportOf } from "../verdict/evict.js";
import type { Verdicts } from "../verdict/verdicts.js";
import { eventOf } from "../words/event-of.js";
import { type Ledger, reserve, spread } from "./slots.js";

/** How the server goes away. */
export interface DrainOptions {
  /** Streams are ended evenly over so many ms. @default 0 */
  readonly overMs?: number | undefined;
  /** When the service is back. @default clients may come back, to another server, as soon as they are put out */
  readonly backAt?: Date | undefined;
  /**
   * How many clients a second may come back. Each is given a time of its own. @default `admission.acceptPerSecond`, else
   * as many as are put out in a second
   */
  readonly returnPerSecond?: number | undefined;
  readonly message?: string | undefined;
  readonly localized?: LocalizedText | undefined;
  readonly forceAfterMs?: number | undefined;
  /** Who decided, and why, for the audit. Never sent. */
  readonly by?: string | undefined;
  readonly note?: string | undefined;
  /** Called about once a second, and at the end. */
  readonly onProgress?: ((progress: DrainProgress) => void) | undefined;
  /** Stops the drain, and opens the door again; also after it has ended. */
  readonly signal?: AbortSignal | undefined;
}

/** The server is being drained already. Aborting that drain's signal opens the door again. */
export class DrainingError extends Error {
  override readonly name = "DrainingError";
  /** What will have come of the drain that goes on. */
  readonly report: Promise<Report>;

  constructor(report: Promise<Report>) {
    super("drain: already under way, or over with the door closed; only aborting its signal opens it again");
    this.report = report;
  }
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
  readonly done: boolean;
}

const known = [
  "overMs",
  "backAt",
  "returnPerSecond",
  "message",
  "localized",
  "forceAfterMs",
  "by",
  "note",
  "onProgress",
  "signal",
] as const satisfies readonly (keyof DrainOptions)[];

const progressEveryMs = 1_000;

/**
 * Refuses newcomers and ends everybody, spread over a time. Clients, not streams, are given a slot for their return:
 * all streams of a session end together, for it knocks once.
 */
export function createDrain(house: House, verdicts: Verdicts) {
  const { registry, controlStreams, clock, audit, settings } = house;

  return async function drain(options: DrainOptions = {}): Promise<Report> {
    const checked = checkDrainOptions(options, settings.forceAfterMs);
    if (house.draining) throw new DrainingError(house.draining);
    checked.signal?.throwIfAborted();
    const draining = carryOut(checked);
    house.draining = draining;
    const reopen = () => {
      if (house.draining === draining) house.draining = house.closing = undefined;
    };
    checked.signal?.addEventListener("abort", reopen, { once: true });
    draining.catch(reopen); // nothing was done
    return await draining;
  };

  async function carryOut(checked: Drain): Promise<Report> {
    const { overMs, backAt, returnPerSecond, message, localized, forceAfterMs, onProgress, signal, attribution } =
      checked;
    const start = clock.now();
    const visits = registry.find({ all: true });
    const clients = [...grouped(visits).values()];
    const words = { reason: "maintenance", message, ...(localized && { localized }) } as const;
    const asTheyLeave = overMs > 0 ? clients.length / (overMs / 1_000) : 0;
    const perSecond = returnPerSecond ?? settings.acceptPerSecond ?? asTheyLeave;
    const wordsFor = slots(words, backAt, perSecond, clients.length);

    // Who is refused here may be let in elsewhere, and takes a slot only if all wait for the same date.
    house.closing = () => (backAt !== undefined && clock.now() < backAt ? wordsFor(clock.now()) : words);

    const over = new AbortController();
    const endings = new Map<AdmittedStream, Ending>();
    const progress = (report: Report, done: boolean) => {
      const inside = visits.filter(({ life }) => !life.aborted).length;
      const leftMs = done ? 0 : Math.max(0, start + overMs - clock.now());
      house.progress = { total: visits.length, inside, report, leftMs, done };
      audit.drain(house.progress);
      try {
        onProgress?.(house.progress);
      } catch (error) {
        audit.failure(error, "onProgress failed");
      }
    };
    try {
      const how = { ...attribution, mode: "tell", forceAfterMs, everywhere: false } as const;
      const { verdict } = await verdicts.record({ selector: { all: true }, words }, visits, how);
      const report = () => reportOf([...endings.keys()], [...endings.values()], verdict.id, false);
      const announced = backAt === undefined ? words : { ...words, retryAt: new Date(backAt) };
      controlStreams.post(controlStreams.of(visits), eventOf("notice", announced, clock.now()));
      progress(report(), false);
      every(progressEveryMs, over.signal, () => progress(report(), false));

      const end = async (client: readonly AdmittedStream[]) => {
        const inside = client.filter(({ life }) => !life.aborted);
        for (const visit of client) if (!inside.includes(visit)) endings.set(visit, "left");
        if (inside.length === 0) return;
        for (const visit of inside) visit.retire(); // before it is told: over the same connection it would come back here
        const outcomes = await verdicts.end(verdict, inside, wordsFor(clock.now()), forceAfterMs);
        outcomes.forEach((outcome, index) => void endings.set(inside[index] as AdmittedStream, outcome));
      };
      const times = spread(clients.length, start, overMs);
      const ending: Promise<void>[] = [];
      for (const [index, client] of clients.entries()) {
        const waitMs = (times[index] as number) - clock.now();
        if (waitMs >= 1) await clock.sleep(waitMs, signal).catch(() => {}); // looked at in the next line
        if (signal?.aborted) break;
        const ended = end(client);
        ended.catch(() => {}); // awaited below
        ending.push(ended);
      }
      await Promise.all(ending);
      audit.outcome(verdict, report());
      progress(report(), true);
      return report();
    } finally {
      over.abort();
    }
  }

  function every(ms: number, until: AbortSignal, then: () => void): void {
    clock.sleep(ms, until).then(
      () => {
        then();
        every(ms, until, then);
      },
      () => {}, // over
    );
  }
}

/** Options, checked and filled in. `backAt` is epoch ms. */
interface Drain extends Pick<DrainOptions, "returnPerSecond" | "localized" | "onProgress" | "signal"> {
  readonly overMs: number;
  readonly backAt: number | undefined;
  readonly message: string;
  readonly forceAfterMs: number;
  readonly attribution: Pick<DrainOptions, "by" | "note">;
}

/** @throws TypeError that names the option. */
export function checkDrainOptions(options: DrainOptions, forceAfterMsByDefault: number): Drain {
  objectOf("options", options, known);
  const { overMs = 0, backAt, returnPerSecond, message = "", localized, by, note, onProgress, signal } = options;
  const { forceAfterMs = forceAfterMsByDefault } = options;
  numberIn("options.overMs", overMs, 0, 86_400_000);
  numberIn("options.forceAfterMs", forceAfterMs, 0);
  if (returnPerSecond !== undefined) numberIn("options.returnPerSecond", returnPerSecond, 0.001);
  functionOr("options.onProgress", onProgress);
  for (const [name, text] of Object.entries({ message, by, note })) {
    if (text !== undefined && typeof text !== "string") throw invalid(`options.${name}`, text, "a string");
  }
  checkTime("options.backAt", backAt);
  checkWords("options", { reason: "maintenance", localized }, builtInReasons);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalid("options.signal", signal, "an AbortSignal");
  const attribution = { by, note };
  const back = backAt?.getTime();
  return { overMs, backAt: back, returnPerSecond, message, localized, forceAfterMs, onProgress, signal, attribution };
}

/**
 * What each client is told, with a slot of its own where it is known how many may come back in a second. There are slots for
 * twice as many as were inside: newcomers that knock without end must not use up the time of all others.
 */
function slots(words: Words, backAt: number | undefined, perSecond: number, clients: number): (now: number) => Words {
  const anyTime = backAt === undefined ? words : ({ ...words, retryAt: new Date(backAt) } as Words);
  if (!(perSecond > 0)) return () => anyTime;
  const horizonMs = Math.max(60_000, (2 * clients * 1_000) / perSecond);
  let ledger: Ledger = { freeAt: backAt ?? 0 };
  return (now) => {
    const earliest = Math.max(backAt ?? 0, now);
    const slot = reserve(ledger, earliest, perSecond);
    if (slot.at > earliest + horizonMs) return anyTime;
    ledger = slot.ledger;
    return { ...words, retryAt: new Date(Math.ceil(slot.at)), reserved: true } as Words;
  };
}

/** The streams of each client: those of one session, or one by itself. */
function grouped(visits: readonly AdmittedStream[]): ReadonlyMap<string, readonly AdmittedStream[]> {
  const clients = new Map<string, AdmittedStream[]>();
  for (const visit of visits) {
    const key = clientOf(visit);
    const client = clients.get(key);
    if (client) client.push(visit);
    else clients.set(key, [visit]);
  }
  return clients;
}
