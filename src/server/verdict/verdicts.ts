import { randomUUID } from "node:crypto";
import type { Clock } from "../../ports/clock.js";
import { guarded } from "../../ports/guarded.js";
import { within } from "../../ports/timer.js";
import type { Audit } from "../audit/audit.js";
import { type AdmittedStream, clientOf, type Ending, type StreamOfClient } from "../inside/admitted-stream.js";
import type { Away } from "../inside/away.js";
import type { PendingCalls } from "../inside/pending.js";
import type { Registry } from "../inside/registry.js";
import { type Report, reportOf } from "../inside/report.js";
import { isRevoked } from "../store/revocation.js";
import type { Entry, Recorded, Store } from "../store/store.js";
import type { Selector } from "../who/selector.js";
import type { Verdict, Words } from "../words/words.js";
import type { ControlStreams } from "./control-streams.js";
import { createEvict, type Evict } from "./evict.js";
import type { Ended } from "./force.js";
import type { Holds } from "./holds.js";
import { LimitError } from "./limit-error.js";
import { type Attribution, checkVerdictOptions, type VerdictDefaults, type VerdictOptions } from "./options.js";
import { type NewRestriction, remindersFor } from "./reminders.js";

/** What is decided, before it is recorded. */
export interface NewVerdict {
  readonly selector: Selector;
  readonly words: Words;
  /** What is kept against whoever comes later. */
  readonly restrictions?: readonly NewRestriction[];
  /** Who has left within so many ms is meant as well. */
  readonly holdMs?: number;
  /** Who is spared after all, when it is carried out. */
  readonly spares?: ((admitted: AdmittedStream) => boolean) | undefined;
  /** Revokes the tokens of this user: only streams with older ones are put out. */
  readonly revokes?: string;
}

/** How a verdict is recorded. */
export interface Recording extends Attribution {
  readonly mode: "tell" | "abort";
  readonly forceAfterMs: number;
  /** False: it is about the streams of this bouncer alone. */
  readonly everywhere: boolean;
  /** Those who are meant, and have left. */
  readonly away?: readonly StreamOfClient[];
}

/** Decides and carries out: record, tell, force, in that order. */
export interface Verdicts {
  carryOut(wanted: NewVerdict, options?: VerdictOptions): Promise<Report & { readonly epoch: number | undefined }>;
  /** Gives a verdict its name, records and logs it. */
  record(
    wanted: NewVerdict,
    found: readonly AdmittedStream[],
    how: Recording,
  ): Promise<{ readonly verdict: Verdict; readonly epoch: number | undefined }>;
  /**
   * The same, but goes on without the store if that fails, or has not answered within so many ms. Both are reported. `isRecorded`:
   * whether it has been recorded by now.
   */
  recordWithin(
    ms: number,
    wanted: NewVerdict,
    found: readonly AdmittedStream[],
    how: Recording,
  ): Promise<{ readonly verdict: Verdict; readonly isRecorded: () => boolean }>;
  /** Ends some streams for a verdict that was recorded before. */
  readonly evict: Evict;
  /** Another bouncer has recorded this. */
  hear(entry: Recorded): void;
}

/** What verdicts need. */
export interface VerdictParts {
  /** Names this bouncer among those that share a store. */
  readonly name: string;
  readonly settings: VerdictSettings;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly away: Away;
  readonly holds: Holds;
  readonly pending: PendingCalls;
  readonly controlStreams: ControlStreams;
  readonly audit: Audit;
}

/** What the bouncer's options say about verdicts. */
export interface VerdictSettings extends VerdictDefaults {
  readonly store: Store;
  readonly rememberMs: number;
  readonly clockSkewMs: number;
}

export function createVerdicts(parts: VerdictParts): Verdicts {
  const { name, settings, registry, clock, audit } = parts;
  const { store, rememberMs } = settings;
  const evict = createEvict(parts.controlStreams, clock);

  /** Gives a verdict its name, and says what is to be written of it. */
  function draft(wanted: NewVerdict, found: readonly AdmittedStream[], recording: Recording) {
    const { by, note, away = [], ...how } = recording;
    const { selector, words, restrictions = [], revokes } = wanted;
    const verdict: Verdict = { id: randomUUID(), at: new Date(clock.now()), selector, words, by, note };
    const reminders = [
      ...remindersFor(found, verdict, rememberMs, () => how.mode !== "abort"),
      ...remindersFor(away, verdict, rememberMs, () => true), // by a name that counts longer than the hold: only their own
    ];
    const all = [...restrictions, ...reminders].map((restriction) => ({ ...restriction, verdict: verdict.id, words }));
    parts.holds.note({ verdict, restrictions: all });
    const entry: Entry = { verdict, restrictions: all, revokes, ...how, origin: name };
    return { entry, verdict, matched: found.length + away.length };
  }

  const record: Verdicts["record"] = async (...what) => {
    const { entry, verdict, matched } = draft(...what);
    const epoch = await store.record(entry);
    audit.verdict(verdict, matched);
    return { verdict, epoch };
  };

  const recordWithin: Verdicts["recordWithin"] = async (ms, ...what) => {
    const { entry, verdict, matched } = draft(...what);
    const failed = (error: unknown) => audit.failure(error, "the store failed: what is carried out is not recorded");
    let recorded = false;
    const recording = guarded(async () => {
      await store.record(entry);
      recorded = true;
    }, failed);
    const answered = await within(
      ms,
      recording.then(() => true),
      clock,
    );
    if (!answered) failed(new Error(`not recorded within ${ms} ms`));
    audit.verdict(verdict, matched);
    return { verdict, isRecorded: () => recorded };
  };

  /** What could not be known when the verdict was recorded: who did not hear it. */
  async function remind(verdict: Verdict, ended: Ended): Promise<void> {
    const { id, words } = verdict;
    const told = new Set([...ended].filter(([, ending]) => ending === "told").map(([admitted]) => clientOf(admitted)));
    const heard = (admitted: StreamOfClient) => told.has(clientOf(admitted));
    const missed = remindersFor([...ended.keys()], verdict, rememberMs, heard).filter(({ once }) => once);
    try {
      for (const reminder of missed) await store.restrict({ ...reminder, verdict: id, words }, clock.now());
    } catch (error) {
      audit.failure(error, "the store failed: a client that did not hear its verdict will not be told at the door");
    }
  }

  /** Tells and forces what was recorded, here or by another bouncer. */
  async function execute(executed: Executed, details: boolean): Promise<Report> {
    const { verdict, epoch, mode, forceAfterMs, away = [], spares } = executed;
    const meant = meantBy(verdict, epoch, parts);
    const streams = spares ? meant.filter((admitted) => !spares(admitted)) : meant;
    const ended = await evict(streams, { verdict, words: verdict.words, mode, forceAfterMs });
    if (mode === "tell") await remind(verdict, ended);
    const report = reportOf(new Map([...ended, ...all(away, "left")]), verdict.id, details);
    audit.outcome(verdict, report);
    return report;
  }

  return {
    record,
    recordWithin,
    evict,
    async carryOut(wanted, options = {}) {
      const { selector, words, spares } = wanted;
      const { dryRun, limit, details, ...how } = checkVerdictOptions(options, selector, settings);
      const found = registry.find(selector);
      const away = wanted.holdMs === undefined ? [] : parts.away.find(selector, wanted.holdMs, found);
      const matched = all([...found, ...away], "matched");
      if (dryRun) return { ...reportOf(matched, undefined, details), epoch: undefined };
      if (matched.size > limit) throw new LimitError(words.reason, matched.size, limit);
      const { verdict, epoch } = await record(wanted, found, { ...how, everywhere: true, away });
      return { ...(await execute({ ...how, verdict, epoch, away, spares }, details)), epoch };
    },
    hear(entry) {
      if (entry.origin === name || !entry.everywhere) return;
      parts.holds.note(entry);
      execute(entry, false).catch((error) =>
        audit.failure(error, "another bouncer's verdict could not be carried out"),
      );
    },
  };
}

type Executed = Pick<Recorded, "verdict" | "epoch" | "mode" | "forceAfterMs"> &
  Pick<Recording, "away"> &
  Pick<NewVerdict, "spares">;

/** The same has become of all of them. */
function all<E extends Ending | "matched">(
  streams: readonly StreamOfClient[],
  ending: E,
): ReadonlyMap<StreamOfClient, E> {
  return new Map(streams.map((stream) => [stream, ending]));
}

/** Whom a recorded verdict means, of those inside; who is on the way in will find it noted. */
function meantBy(
  verdict: Verdict,
  epoch: number | undefined,
  { registry, pending, settings }: Pick<VerdictParts, "registry" | "pending" | "settings">,
): readonly AdmittedStream[] {
  const found = registry.find(verdict.selector);
  pending.note(verdict, epoch !== undefined);
  if (epoch === undefined) return found;
  // A fresh token may be on its way in; an old one is found at the second look at the epoch.
  const revoked = { number: epoch, revokedAt: verdict.at.getTime() };
  return found.filter(({ who }) => isRevoked(who, revoked, settings.clockSkewMs));
}
