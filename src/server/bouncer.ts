import { randomUUID } from "node:crypto";
import { type ContextValues, createContextValues, type Interceptor } from "@connectrpc/connect";
import { functionIn, invalid } from "../check/invalid.js";
import { checkTime, checkWords } from "../check/words.js";
import { builtInReasons } from "../disconnect/reasons.js";
import type { Clock } from "../ports/clock.js";
import { guarded } from "../ports/guarded.js";
import { createAdmission } from "./admission/admission.js";
import { type Closing, createClosing } from "./admission/closing.js";
import { createReleaseHooks, type ReleaseHook } from "./admission/release-hooks.js";
import { type Audit, createAudit } from "./audit/audit.js";
import type { Counts } from "./audit/counters.js";
import { createDrain, type Drain } from "./drain/drain.js";
import type { DrainOptions } from "./drain/options.js";
import type { AdmittedStream, Stream } from "./inside/admitted-stream.js";
import { mendAuthority } from "./inside/authority.js";
import { createAway } from "./inside/away.js";
import { createPendingCalls } from "./inside/pending.js";
import { rawRequestKey, rawRequestOf } from "./inside/raw-stream.js";
import { createRegistry } from "./inside/registry.js";
import { renewSession } from "./inside/renewal.js";
import type { DrainProgress, Report } from "./inside/report.js";
import { createUnaryCalls, type UnaryCalls } from "./inside/unary-calls.js";
import { type BouncerOptions, type BouncerSettings, checkBouncerOptions } from "./options.js";
import type { Recorded } from "./store/store.js";
import { type Commands, createCommands } from "./verdict/commands.js";
import { type ControlStreams, createControlStreams } from "./verdict/control-streams.js";
import { createHolds } from "./verdict/holds.js";
import { createVerdicts } from "./verdict/verdicts.js";
import { checkCredentials, endOf, type NewCredentials } from "./who/credentials.js";
import { checkSelector, type Selector } from "./who/selector.js";
import { eventOf } from "./words/event-of.js";
import type { Words } from "./words/words.js";

/** What a bouncer has counted, and who is inside now. */
export interface Stats extends Counts {
  /** Who is inside now. */
  readonly inside: { readonly streams: number; readonly users: number; readonly sessions: number };
  /** Newcomers are refused, for the server goes away. */
  readonly draining: boolean;
  /** How far the last drain is, or how it ended. */
  readonly drain: DrainProgress | undefined;
}

/**
 * Knows who is inside, puts clients out with a reason, and keeps them out. Whatever puts out does it in three steps: it
 * records the verdict and logs it, it tells the client by the status that ends the stream, and it resets the stream if that
 * has not ended in time. All of it rejects with a `TypeError` that names the field for bad input, with a `LimitError` if
 * more streams match than the limit allows, and with the store's error if the verdict cannot be recorded; in each case
 * nothing was done.
 */
export interface Bouncer extends Commands {
  /** Names it in its messages on diagnostics channels, and among bouncers that share a store. */
  readonly name: string;
  /** For `interceptors`. Put it behind an interceptor that `identify` needs, and before all others. */
  readonly interceptor: Interceptor;
  /**
   * For `contextValues`, of connect-node, fastify or express. Without it, addresses are not known, nothing can be reset,
   * a stream counts as told when its end was handed to Connect, and a request with a `Host` that no URL can hold ends the
   * process, for Connect throws in Node's own event. With it, such a host is read as `unknown.invalid`.
   */
  contextValues(request: object): ContextValues;

  /** Who is inside, in the order in which they came. @default everybody */
  list(selector?: Selector): readonly Stream[];
  /** How many streams are inside. @default of everybody */
  count(selector?: Selector): number;
  /** The same as `list`, one after the other, without those that have left meanwhile. */
  streams(selector?: Selector): AsyncIterable<Stream>;
  /** What was counted. */
  stats(): Stats;

  /** Tells clients by their control streams what will happen, `at` a time if it is known. Answers how many were told. */
  announce(selector: Selector, words: Words, at?: Date): number;
  /**
   * Lets streams that are inside outlive the credentials that they were opened with: you have verified new ones, such as in
   * the call that renews a token. A stream that has newer ones stays as it is. Answers how many were renewed. A client with a
   * control stream does it by itself, once it has refreshed.
   *
   * @example
   * bouncer.renew({ user, session }, { issuedAt: new Date(iat * 1000), expiresAt: new Date(exp * 1000) });
   */
  renew(selector: Selector, credentials: NewCredentials): number;
  /**
   * Refuses newcomers with `maintenance` and ends all streams, spread over a time. Rejects with a `DrainingError` while
   * another one goes on, or keeps newcomers out.
   */
  drain(options?: DrainOptions): Promise<Report>;

  /**
   * Calls the hook for each stream that has left, however it left, to release what its client held. Hooks run after the
   * cut and hold nothing up; one that takes longer than `releaseWithinMs` is reported. Returns the removal.
   */
  onRelease(hook: ReleaseHook): () => void;
  /** Forgets the store. Streams go on, without verdicts of other bouncers. */
  close(): void;
}

/** What a bouncer's services share with it. */
export interface BouncerParts {
  readonly settings: BouncerSettings;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly controlStreams: ControlStreams;
  readonly closing: Closing;
  readonly calls: UnaryCalls;
  readonly drain: Drain;
  /** Renews the session's streams with the credentials of its newest control stream. */
  renewSession(newest: AdmittedStream): void;
}

const partsByBouncer = new WeakMap<Bouncer, BouncerParts>();

/** @throws TypeError for what is no bouncer of ours */
export function partsOf(bouncer: Bouncer): BouncerParts {
  const parts = partsByBouncer.get(bouncer);
  if (!parts) throw invalid("bouncer", bouncer, "a bouncer made by createBouncer");
  return parts;
}

const everybody: Selector = { all: true };

/**
 * Makes a bouncer.
 *
 * @throws TypeError that names the option, what it was and what was expected
 * @example
 * const bouncer = createBouncer({ identify: ({ header }) => ({ user: verify(header.get("authorization")).sub }) });
 * const handler = connectNodeAdapter({ routes, interceptors: [bouncer.interceptor], contextValues: bouncer.contextValues });
 * await bouncer.kick({ user: "u1" }, { code: "afk", message: "Idle for 10 minutes" });
 */
export function createBouncer(options: BouncerOptions): Bouncer {
  const settings = checkBouncerOptions(options);
  const { store, clock } = settings;
  const name = randomUUID().slice(0, 8);
  const audit = createAudit(name, settings.logger, settings.reportError);
  const registry = createRegistry();
  const controlStreams = createControlStreams(registry);
  const closing = createClosing();
  const here = {
    registry,
    holds: createHolds(clock),
    away: createAway(clock),
    pending: createPendingCalls(),
    calls: createUnaryCalls(clock),
  };
  const inside = { name, settings, clock, audit, controlStreams, closing, ...here };
  const verdicts = createVerdicts(inside);
  const commands = createCommands(verdicts, store, audit, clock);
  const isGood = ({ who }: AdmittedStream) => endOf(who) > clock.now(); // renewed in the meantime
  const hooks = createReleaseHooks(settings.releaseWithinMs, audit, clock);
  const drain = createDrain({ ...inside, verdicts });
  const unsubscribe = subscribe(settings, verdicts.hear);
  const bouncer: Bouncer = {
    ...commands,
    name,
    interceptor: createAdmission({
      ...inside,
      supersede: (loser, by) =>
        commands.supersede(loser, { by, message: "signed in elsewhere" }, { ...unbounded, by: "logins" }),
      expire: (stream) => verdicts.carryOut({ ...expired, selector: { stream }, spares: isGood }, unbounded),
      released(admitted) {
        here.away.left(admitted);
        hooks.release(admitted);
      },
    }),
    contextValues(request) {
      const raw = rawRequestOf(request);
      if (raw) mendAuthority(raw);
      return createContextValues().set(rawRequestKey, raw);
    },
    list: (selector = everybody) => registry.find(checkSelector(selector)).map(({ stream }) => stream),
    count: (selector = everybody) =>
      selector === everybody ? registry.size : registry.find(checkSelector(selector)).length,
    async *streams(selector = everybody) {
      for (const { stream, life } of registry.find(checkSelector(selector))) if (!life.aborted) yield stream;
    },
    stats: () => ({
      ...audit.counts(),
      inside: registry.counts(),
      draining: closing.closed,
      drain: drain.progress,
    }),
    announce(selector, words, at) {
      checkSelector(selector);
      checkWords("words", words, builtInReasons);
      checkTime("at", at);
      const told = controlStreams.of(registry.find(selector));
      return controlStreams.post(told, eventOf("notice", words, clock.now(), at?.getTime()));
    },
    renew(selector, credentials) {
      const newest = checkCredentials(credentials);
      return registry.find(checkSelector(selector)).filter((admitted) => admitted.renew(newest)).length;
    },
    drain: drain.start,
    onRelease: hooks.add,
    close: () => void guarded(unsubscribe, (error) => audit.failure(error, "the store could not be left")),
  };
  partsByBouncer.set(bouncer, { ...inside, drain, renewSession: (newest) => renewSession(newest, registry) });
  return bouncer;
}

/** @throws TypeError where the store answers with no removal, such as with a promise of one */
function subscribe({ store, reportError }: BouncerSettings, hear: (entry: Recorded) => void): () => unknown {
  const unsubscribe = store.subscribe(hear);
  void guarded(() => unsubscribe, reportError);
  functionIn("the answer of store.subscribe", unsubscribe);
  return unsubscribe;
}

const expired = { words: { reason: "unauthenticated", message: "the credentials have expired" } } as const;

/** What follows from an option, or from a token, is not a slip of the pen. */
const unbounded = { limit: Number.POSITIVE_INFINITY } as const;
