import { randomUUID } from "node:crypto";
import { invalid, numberIn, objectOf, oneOf } from "../../check/invalid.js";
import { isRevoked } from "../admission/judge.js";
import type { House } from "../house.js";
import { type AdmittedStream, clientOf, type Ending } from "../inside/admitted-stream.js";
import { checkLimit } from "../options.js";
import type { Recorded, Restriction, Verdict, Words } from "../store/store.js";
import { claimKeyOf, type Selector } from "../who/selector.js";
import { eventOf } from "../words/event-of.js";
import { goodbyeOf } from "../words/goodbye.js";
import { cut, evict, type Report, reportOf } from "./evict.js";

/** How a verdict is carried out. */
export interface VerdictOptions {
  /** `abort`: says nothing and resets the streams at once, as ASP.NET's `HttpContext.Abort()` does. @default "tell" */
  readonly mode?: "tell" | "abort" | undefined;
  /** After so many ms, a stream that has not ended is reset. @default the bouncer's */
  readonly forceAfterMs?: number | undefined;
  /** Only counts what would match. @default false */
  readonly dryRun?: boolean | undefined;
  /** Does nothing if more streams match. @default the bouncer's, for a tag and for all; else no limit */
  readonly limit?: number | undefined;
  /** Names the streams in the report. @default false */
  readonly details?: boolean | undefined;
  /** Who decided, for the audit. Never sent. */
  readonly by?: string | undefined;
  /** Why, for the audit. Never sent. */
  readonly note?: string | undefined;
}

/** More streams matched than was allowed: nothing was done. */
export class LimitError extends Error {
  override readonly name = "LimitError";
  readonly matched: number;
  readonly limit: number;

  constructor(reason: string, matched: number, limit: number) {
    super(`${reason}: ${matched} streams match, but the limit is ${limit}: nothing was done; a higher limit allows it`);
    this.matched = matched;
    this.limit = limit;
  }
}

/** What is decided. */
export interface Decision {
  readonly selector: Selector;
  readonly words: Words;
  /** What is held against whoever comes later. */
  readonly restrictions?: readonly Omit<Restriction, "verdict" | "words">[];
  /** Revokes the tokens of this user: only streams with older ones are put out. */
  readonly revokes?: string;
}

/** Decides and carries out: record, tell, force, in that order. */
export interface Verdicts {
  carryOut(decision: Decision, options?: VerdictOptions): Promise<Report & { readonly epoch: number | undefined }>;
  /** Ends some visits for a verdict that was recorded before. */
  end(
    verdict: Verdict,
    visits: readonly AdmittedStream[],
    words: Words,
    forceAfterMs: number,
  ): Promise<readonly Ending[]>;
  /** A verdict with a name, recorded and logged. */
  record(decision: Decision, found: readonly AdmittedStream[], how: How): Promise<{ verdict: Verdict; epoch?: number }>;
  /** Another bouncer has recorded this. */
  overhear(entry: Recorded): void;
}

type Mode = NonNullable<VerdictOptions["mode"]>;
type How = Attribution & { readonly mode: Mode; readonly forceAfterMs: number; readonly everywhere: boolean };
/** Who decided, and why. */
export type Attribution = Pick<VerdictOptions, "by" | "note">;

/** Words on a control stream leave before what they explain, if they leave within so many ms. */
const headStartMs = 50;

export function createVerdicts({ name, settings, registry, pending, controlStreams, audit, clock }: House): Verdicts {
  const { store, rememberMs } = settings;

  async function record(decision: Decision, found: readonly AdmittedStream[], how: How) {
    const { selector, words, restrictions = [], revokes } = decision;
    const { by, note, mode, ...rest } = how;
    const verdict: Verdict = { id: randomUUID(), at: new Date(clock.now()), selector, words, by, note };
    const sessions = remindersFor(found, verdict, () => mode !== "abort");
    const all = [...restrictions, ...sessions].map((restriction) => ({ ...restriction, verdict: verdict.id, words }));
    const epoch = await store.record({ verdict, restrictions: all, revokes, mode, ...rest, origin: name });
    audit.verdict(verdict, found.length);
    return { verdict, ...(epoch !== undefined && { epoch }) };
  }

  /**
   * By which names clients are told the reason at the door. The name that a control stream made up for one login is used up with
   * it. By any other a client may come back by a new decision of its user's: it is told once, and only if it did not hear.
   */
  function remindersFor(
    visits: readonly AdmittedStream[],
    verdict: Verdict,
    heard: (visit: AdmittedStream) => boolean,
  ) {
    const { at, selector, words } = verdict;
    // What passes by itself, or is held against the user anyway, need not be.
    if (rememberMs === 0 || (words.reason !== "kicked" && words.reason !== "superseded")) return [];
    const { user: whole, ...narrower } = selector;
    const wholeUser = whole !== undefined && Object.values(narrower).every((field) => field === undefined);
    const until = at.getTime() + rememberMs;
    const keys = new Map<string, boolean>();
    for (const visit of visits) {
      const { user, session } = visit.who;
      const claim = claimKeyOf(visit.who);
      if (claim !== undefined) keys.set(claim, false);
      else if (heard(visit)) continue;
      else if (session !== undefined) keys.set(`session:${session}`, true);
      else if (wholeUser) keys.set(`user:${user}`, true);
    }
    return [...keys].map(([key, once]) => ({ key, until, once }));
  }

  /** Whom a recorded verdict means, of those inside; who is on the way in will find it noted. */
  function meant(verdict: Verdict, epoch: number | undefined): readonly AdmittedStream[] {
    const found = registry.find(verdict.selector);
    if (epoch === undefined) {
      pending.note(verdict);
      return found;
    }
    // A fresh token may be on its way in; an old one is found at the second look at the epoch.
    const revoked = { number: epoch, revokedAt: verdict.at.getTime() };
    return found.filter(({ who }) => isRevoked(who, revoked, settings.clockSkewMs));
  }

  /** What could not be known when the verdict was recorded: who did not hear it. */
  async function remind(
    verdict: Verdict,
    visits: readonly AdmittedStream[],
    endings: readonly Ending[],
  ): Promise<void> {
    const { id, words } = verdict;
    const told = new Set(visits.filter((_, index) => endings[index] === "told").map(clientOf));
    const missed = remindersFor(visits, verdict, (visit) => told.has(clientOf(visit))).filter(({ once }) => once);
    try {
      for (const restriction of missed) await store.restrict({ ...restriction, verdict: id, words }, clock.now());
    } catch (error) {
      audit.failure(error, "the store failed: a client that did not hear its verdict will not be told at the door");
    }
  }

  async function end(
    verdict: Verdict,
    visits: readonly AdmittedStream[],
    words: Words,
    forceAfterMs: number,
    mode: Mode = "tell",
  ): Promise<readonly Ending[]> {
    const goodbye = goodbyeOf(words, clock.now(), verdict);
    const among = new Set(visits);
    const beside = controlStreams.of(visits);
    const witnesses = beside.filter((controlStream) => !among.has(controlStream));
    controlStreams.post(witnesses, eventOf("verdict", words, clock.now()));
    if (mode === "tell") return await evict(visits, goodbye, forceAfterMs, clock);

    // ControlStreams are told, and first, for they explain what happens to the others.
    const messengers = new Set(beside.filter((controlStream) => among.has(controlStream)));
    const others = visits.filter((visit) => !messengers.has(visit));
    const telling = evict([...messengers], goodbye, forceAfterMs, clock);
    if (beside.length > 0) {
      const timer = new AbortController();
      const headStart = clock.sleep(headStartMs, timer.signal).catch(() => {}); // all were told before
      await (witnesses.length > 0 ? headStart : Promise.race([telling, headStart]));
      timer.abort();
    }
    const [told, rest] = await Promise.all([telling, cut(others, goodbye, clock)]);
    const endings = new Map<AdmittedStream, Ending>();
    [...messengers].forEach((visit, index) => void endings.set(visit, told[index] as Ending));
    others.forEach((visit, index) => void endings.set(visit, rest[index] as Ending));
    return visits.map((visit) => endings.get(visit) as Ending);
  }

  return {
    record,
    end,
    async carryOut(decision, options = {}) {
      const { mode, forceAfterMs, dryRun, limit, details, by, note } = checkVerdictOptions(
        options,
        decision.selector,
        settings,
      );
      const { selector, words } = decision;
      const found = registry.find(selector);
      if (dryRun) {
        const outcomes = found.map(() => "matched" as const);
        return { ...reportOf(found, outcomes, undefined, details), epoch: undefined };
      }
      if (found.length > limit) throw new LimitError(words.reason, found.length, limit);
      const { verdict, epoch } = await record(decision, found, { by, note, mode, forceAfterMs, everywhere: true });
      const visits = meant(verdict, epoch);
      const endings = await end(verdict, visits, words, forceAfterMs, mode);
      if (mode === "tell") await remind(verdict, visits, endings);
      const report = reportOf(visits, endings, verdict.id, details);
      audit.outcome(verdict, report);
      return { ...report, epoch };
    },
    overhear({ verdict, epoch, mode, forceAfterMs, everywhere, origin }) {
      if (origin === name || !everywhere) return;
      const carryOut = async () => {
        const visits = meant(verdict, epoch);
        const endings = await end(verdict, visits, verdict.words, forceAfterMs, mode);
        if (mode === "tell") await remind(verdict, visits, endings);
        audit.outcome(verdict, reportOf(visits, endings, verdict.id, false));
      };
      carryOut().catch((error) => audit.failure(error, "another bouncer's verdict could not be carried out"));
    },
  };
}

/** @throws TypeError that names the option. */
export function checkAttribution(attribution: Attribution): Attribution {
  const { by, note } = objectOf("options", attribution, ["by", "note"]);
  for (const [name, text] of Object.entries({ by, note })) {
    if (text !== undefined && typeof text !== "string") throw invalid(`options.${name}`, text, "a string");
  }
  return attribution;
}

const known = ["mode", "forceAfterMs", "dryRun", "limit", "details", "by", "note"] as const;

/** @throws TypeError that names the option. */
function checkVerdictOptions(
  options: VerdictOptions,
  { user, session, stream }: Selector,
  settings: House["settings"],
) {
  objectOf("options", options, known);
  const { mode = "tell", forceAfterMs = settings.forceAfterMs, dryRun = false, details = false, by, note } = options;
  // A limit that is not given is against a slip of the pen, and a user who opens streams without end is none.
  const { limit = (user ?? session ?? stream) ? Number.POSITIVE_INFINITY : settings.limit } = options;
  oneOf("options.mode", mode, ["tell", "abort"]);
  numberIn("options.forceAfterMs", forceAfterMs, 0);
  checkLimit("options.limit", limit);
  for (const [name, flag] of Object.entries({ dryRun, details })) {
    if (typeof flag !== "boolean") throw invalid(`options.${name}`, flag, "true or false");
  }
  checkAttribution({ by, note });
  return { mode, forceAfterMs, dryRun, limit, details, by, note };
}
