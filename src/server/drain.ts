import { builtInReasons, checkWords, type LocalizedText } from "../disconnect.js";
import { functionOr, invalid, numberIn, objectOf } from "../invalid.js";
import type { Companions } from "./companions.js";
import { eventOf } from "./event-of.js";
import type { House } from "./house.js";
import { type Report, reportOf } from "./put-out.js";
import { type Ledger, reserve, spread } from "./slots.js";
import type { Words } from "./store.js";
import type { Verdicts } from "./verdicts.js";
import type { Ending, Visit } from "./visit.js";

/** How the server goes away. */
export interface DrainOptions {
  /** Streams are ended evenly over so many ms. @default 0 */
  readonly overMs?: number | undefined;
  /** When the service is back. @default clients may come back, to another server, as soon as they are put out */
  readonly backAt?: Date | undefined;
  /**
   * How many clients a second may come back. Each is given a time of its own. @default the door's `acceptPerSecond`, else
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
export function createDrain(house: House, verdicts: Verdicts, companions: Companions) {
  const { registry, clock, journal, settings } = house;

  return async function drain(options: DrainOptions = {}): Promise<Report> {
    const { overMs, backAt, returnPerSecond, message, localized, forceAfterMs, signal, tell, audit } = check(options);
    if (house.closing) throw new Error("drain: already under way; abort its signal first");
    const start = clock.now();
    const visits = registry.find({ all: true });
    const clients = [...grouped(visits).values()];
    const perSecond =
      returnPerSecond ?? settings.acceptPerSecond ?? (overMs > 0 ? clients.length / (overMs / 1_000) : 0);
    const base = { reason: "maintenance", message, ...(localized && { localized }) } as const;
    let ledger: Ledger = { freeAt: backAt ?? start };
    const wordsFor = (): Words => {
      if (!(perSecond > 0)) return backAt === undefined ? base : { ...base, retryAt: new Date(backAt) };
      const slot = reserve(ledger, Math.max(backAt ?? 0, clock.now()), perSecond);
      ledger = slot.ledger;
      return { ...base, retryAt: new Date(slot.at), reserved: true };
    };
    // Who is refused meanwhile has nowhere to go but back here: without a date for that it takes a time of its own.
    const closing = () => (backAt === undefined ? base : wordsFor());
    house.closing = closing;
    const reopen = () => {
      if (house.closing === closing) house.closing = undefined;
    };
    signal?.addEventListener("abort", reopen, { once: true });

    const endings = new Map<Visit, Ending>();
    const ended = () => reportOf([...endings.keys()], [...endings.values()], verdictId, false);
    let verdictId: string | undefined;
    let failure: unknown;
    let toldAt = start;
    const progress = (done: boolean) => {
      toldAt = clock.now();
      const inside = visits.filter(({ life }) => !life.aborted).length;
      const leftMs = Math.max(0, start + overMs - toldAt);
      const report = ended();
      journal.note({ event: "drain", verdict: verdictId, total: visits.length, inside, leftMs, done }, "drain");
      tell({ total: visits.length, inside, report, leftMs, done });
    };
    try {
      const selector = { all: true } as const;
      const { verdict } = await verdicts.record({ selector, words: base }, visits, audit);
      verdictId = verdict.id;
      const announced = backAt === undefined ? base : { ...base, retryAt: new Date(backAt) };
      companions.post(companions.of(visits), eventOf("notice", announced, clock.now()));
      progress(false);
      const ending: Promise<void>[] = [];
      const times = spread(clients.length, start, overMs);
      for (const [index, client] of clients.entries()) {
        const waitMs = (times[index] as number) - clock.now();
        if (waitMs >= 1) await clock.sleep(waitMs, signal).catch(() => {}); // looked at below
        if (signal?.aborted || failure !== undefined) break;
        const inside = client.filter(({ life }) => !life.aborted);
        for (const visit of client) if (!inside.includes(visit)) endings.set(visit, "left");
        if (inside.length === 0) continue;
        ending.push(
          verdicts.end(verdict, inside, wordsFor(), forceAfterMs).then(
            (outcomes) => outcomes.forEach((outcome, at) => void endings.set(inside[at] as Visit, outcome)),
            (error) => {
              failure ??= error;
            },
          ),
        );
        if (clock.now() - toldAt >= progressEveryMs) progress(false);
      }
      await Promise.all(ending);
      if (failure !== undefined) throw failure;
      const report = ended();
      journal.outcome(verdict, report);
      progress(true);
      return report;
    } catch (error) {
      reopen();
      throw error;
    }
  };

  function check(options: DrainOptions) {
    objectOf("options", options, known);
    const { overMs = 0, backAt, returnPerSecond, message = "", localized, by, note, onProgress, signal } = options;
    const { forceAfterMs = settings.forceAfterMs } = options;
    numberIn("options.overMs", overMs, 0, 86_400_000);
    numberIn("options.forceAfterMs", forceAfterMs, 0);
    if (returnPerSecond !== undefined) numberIn("options.returnPerSecond", returnPerSecond, 0.001);
    functionOr("options.onProgress", onProgress);
    for (const [name, text] of Object.entries({ message, by, note })) {
      if (text !== undefined && typeof text !== "string") throw invalid(`options.${name}`, text, "a string");
    }
    if (backAt !== undefined && !(backAt instanceof Date && !Number.isNaN(backAt.getTime()))) {
      throw invalid("options.backAt", backAt, "a Date");
    }
    checkWords("options", { reason: "maintenance", localized }, builtInReasons);
    const tell = (progress: DrainProgress) => {
      try {
        onProgress?.(progress);
      } catch (error) {
        journal.failure(error, "onProgress failed");
      }
    };
    return {
      overMs,
      backAt: backAt?.getTime(),
      returnPerSecond,
      message,
      localized,
      forceAfterMs,
      signal,
      tell,
      audit: { by, note },
    };
  }
}

/** The streams of each client: those of one session, or one by itself. */
function grouped(visits: readonly Visit[]): ReadonlyMap<string, readonly Visit[]> {
  const clients = new Map<string, Visit[]>();
  for (const visit of visits) {
    const { user, session } = visit.who;
    const key = session === undefined ? visit.stream.id : JSON.stringify([user, session]);
    const client = clients.get(key);
    if (client) client.push(visit);
    else clients.set(key, [visit]);
  }
  return clients;
}
