import { randomUUID } from "node:crypto";
import { type ContextValues, createContextValues, type Interceptor } from "@connectrpc/connect";
import { functionIn, invalid, objectOf } from "../check/invalid.js";
import { checkTime, checkWords } from "../check/words.js";
import { builtInReasons, vocabulary } from "../disconnect/reasons.js";
import { createAdmission } from "./admission/admission.js";
import { type Counts, createAudit } from "./audit/audit.js";
import { createDrain, type DrainOptions, type DrainProgress } from "./drain/drain.js";
import type { House } from "./house.js";
import type { Stream } from "./inside/admitted-stream.js";
import { createPendingCalls } from "./inside/pending.js";
import { rawRequestKey, rawRequestOf } from "./inside/raw-stream.js";
import { createRegistry } from "./inside/registry.js";
import { type BouncerOptions, checkBouncerOptions } from "./options.js";
import type { Verdict, Words } from "./store/store.js";
import { createControlStreams } from "./verdict/control-streams.js";
import type { Report } from "./verdict/evict.js";
import { checkAttribution, createVerdicts, type Decision, type VerdictOptions } from "./verdict/verdicts.js";
import { checkSelector, keyOf, type Selector } from "./who/selector.js";
import { eventOf } from "./words/event-of.js";
import { verdictOf } from "./words/goodbye.js";

/** The words that go with a reason, without the reason. */
type WordsOf<R extends Words["reason"]> = Omit<Extract<Words, { reason: R }>, "reason">;

/** Called for each stream that was inside and has left. `verdict`: the one that put it out. */
export type ReleaseHook = (stream: Stream, verdict: Verdict | undefined) => unknown;

/** What a bouncer has counted, and who is inside now. */
export interface Stats extends Counts {
  readonly inside: { readonly streams: number; readonly users: number; readonly sessions: number };
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
export interface Bouncer {
  /** Names it in its messages on diagnostics channels, and among bouncers that share a store. */
  readonly name: string;
  /** For `interceptors`. Put it behind an interceptor that `identify` needs, and before all others. */
  readonly interceptor: Interceptor;
  /**
   * For `contextValues`, of connect-node, fastify or express. Without it, addresses are not known, nothing can be reset,
   * and a stream counts as told when its end was handed to Connect.
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

  /**
   * Puts clients out: `kicked`. Who did not hear it is told at the door. They may come back by a new
   * decision of their user's, with the token that they have: `revoke` or `ban` if they must not.
   */
  kick(selector: Selector, words?: WordsOf<"kicked">, options?: VerdictOptions): Promise<Report>;
  /** Puts clients out and keeps them out until `until`, or for good. The selector is one user, session or tag. */
  ban(selector: Selector, words?: WordsOf<"banned">, options?: VerdictOptions): Promise<Report>;
  /** Lets in again whom a `ban` or a `throttle` keeps out. Answers whether there was one. Takes the same selector. */
  lift(selector: Selector, attribution?: Pick<VerdictOptions, "by" | "note">): Promise<boolean>;
  /** The same as `lift`, by the name that goes with `ban`. */
  unban(selector: Selector, attribution?: Pick<VerdictOptions, "by" | "note">): Promise<boolean>;
  /** Puts clients out in favour of another session of the same account. The option `logins` does it by itself. */
  supersede(selector: Selector, words?: WordsOf<"superseded">, options?: VerdictOptions): Promise<Report>;
  /** Ends streams whose credentials have ended: the client refreshes them and comes back. */
  expire(selector: Selector, words?: WordsOf<"unauthenticated">, options?: VerdictOptions): Promise<Report>;
  /** Puts clients out until `retryAt`. With a `retryAt`, the selector is one user, session or tag. */
  throttle(selector: Selector, words?: WordsOf<"throttled">, options?: VerdictOptions): Promise<Report>;
  /**
   * Makes all tokens of a user invalid that were issued so far, and ends the streams that were opened with one. Answers
   * with the new epoch as well. `identify` has to tell `epoch` or `issuedAt`: without, a user whose tokens were revoked gets in
   * no more. A token refresh is no revocation: nothing needs to be called for it.
   */
  revoke(
    user: string,
    words?: WordsOf<"unauthenticated">,
    options?: VerdictOptions,
  ): Promise<Report & { readonly epoch: number }>;
  /**
   * The epoch to store in a token that is issued at a login, read before the credentials are checked. 0 at first. A refreshed
   * token takes over the epoch of the old one, or it would make a revoked one good again.
   */
  epoch(user: string): Promise<number>;
  /** Tells controlStreams what will happen, `at` a time if it is known. Answers how many were told. */
  announce(selector: Selector, words: Words, at?: Date): number;
  /**
   * Refuses newcomers with `maintenance` and ends all streams, spread over a time. Rejects with a `DrainingError` while
   * another one goes on, or has closed the door.
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

const everybody: Selector = { all: true };
const houses = new WeakMap<Bouncer, House>();

/** What a bouncer's services share with it. */
export function houseOf(bouncer: Bouncer): House {
  const house = houses.get(bouncer);
  if (!house) throw invalid("bouncer", bouncer, "a bouncer made by createBouncer");
  return house;
}

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
  const { store, clock, releaseWithinMs } = settings;
  const name = randomUUID().slice(0, 8);
  const audit = createAudit(name, settings.logger, settings.reportError);
  const registry = createRegistry();
  const controlStreams = createControlStreams(registry);
  const hooks = new Set<ReleaseHook>();
  const house: House = {
    name,
    settings,
    clock,
    registry,
    pending: createPendingCalls(),
    controlStreams,
    audit,
    closing: undefined,
    draining: undefined,
    progress: undefined,
    released({ stream, goodbye }) {
      for (const hook of hooks) void release(hook, stream, verdictOf(goodbye));
    },
  };
  const verdicts = createVerdicts(house);
  const drain = createDrain(house, verdicts);
  const unsubscribe = store.subscribe(verdicts.overhear);

  /** With a deadline of its own: a hook that hangs is told of, and nothing waits for it. */
  async function release(hook: ReleaseHook, stream: Stream, verdict: Verdict | undefined): Promise<void> {
    const timer = new AbortController();
    const late = clock.sleep(releaseWithinMs, timer.signal).then(
      () => audit.failure(new Error(`not done within ${releaseWithinMs} ms`), `a release hook for ${stream.id} hangs`),
      () => {}, // in time
    );
    try {
      await hook(stream, verdict);
    } catch (error) {
      audit.failure(error, `a release hook for ${stream.id} failed`);
    }
    timer.abort();
    await late;
  }

  async function carryOut(decision: Decision, options?: VerdictOptions): Promise<Report> {
    const { epoch: _, ...report } = await verdicts.carryOut(decision, options);
    return report;
  }

  const bouncer: Bouncer = {
    name,
    interceptor: createAdmission(house, {
      supersede: (loser, by) =>
        bouncer.supersede(loser, { by, message: "signed in elsewhere" }, { ...unbounded, by: "logins" }),
      expire: (stream) => bouncer.expire({ stream }, { message: "the credentials have expired" }, unbounded),
    }),
    contextValues: (request) => createContextValues().set(rawRequestKey, rawRequestOf(request)),
    list: (selector = everybody) => registry.find(checkSelector(selector)).map(({ stream }) => stream),
    count: (selector = everybody) =>
      selector === everybody ? registry.size : registry.find(checkSelector(selector)).length,
    async *streams(selector = everybody) {
      for (const { stream, life } of registry.find(checkSelector(selector))) if (!life.aborted) yield stream;
    },
    stats: () => ({
      ...structuredClone(audit.counts),
      inside: registry.counts(),
      draining: house.closing !== undefined,
      drain: house.progress,
    }),
    async kick(selector, words, options) {
      return carryOut({ selector: checkSelector(selector), words: checked("kicked", words) }, options);
    },
    async ban(selector, words, options) {
      const key = keyOf(selector);
      const said = checked("banned", words);
      const until = said.until?.getTime();
      if (until !== undefined && until <= clock.now()) throw invalid("words.until", said.until, "a Date in the future");
      return carryOut({ selector, words: said, restrictions: [{ key, until, once: false }] }, options);
    },
    async lift(selector, attribution = {}) {
      const { by, note } = checkAttribution(attribution);
      const lifted = await store.lift(keyOf(selector), clock.now());
      audit.note({ event: "lift", selector, lifted, by, note }, "lift");
      return lifted;
    },
    unban: (selector, attribution) => bouncer.lift(selector, attribution),
    async supersede(selector, words, options) {
      const said = checked("superseded", words);
      return carryOut({ selector: checkSelector(selector), words: said }, options);
    },
    async expire(selector, words, options) {
      return carryOut({ selector: checkSelector(selector), words: checked("unauthenticated", words) }, options);
    },
    async throttle(selector, words, options) {
      const said = checked("throttled", words);
      const until = said.retryAt?.getTime();
      if (until === undefined) return carryOut({ selector: checkSelector(selector), words: said }, options);
      const key = keyOf(selector);
      if (until <= clock.now()) throw invalid("words.retryAt", said.retryAt, "a Date in the future");
      return carryOut({ selector, words: said, restrictions: [{ key, until, once: false }] }, options);
    },
    async revoke(user, words, options) {
      const selector = checkSelector({ user });
      const said = { message: "the credentials were revoked", ...checked("unauthenticated", words) };
      const { epoch, ...report } = await verdicts.carryOut({ selector, words: said, revokes: user }, options);
      return { ...report, epoch: epoch ?? (await bouncer.epoch(user)) };
    },
    async epoch(user) {
      checkSelector({ user });
      return (await store.epoch(user))?.number ?? 0;
    },
    announce(selector, words, at) {
      checkSelector(selector);
      checkWords("words", words, builtInReasons);
      checkTime("at", at);
      const told = controlStreams.of(registry.find(selector));
      return controlStreams.post(told, eventOf("notice", words, clock.now(), at?.getTime()));
    },
    drain,
    onRelease(hook) {
      functionIn("hook", hook);
      const own: ReleaseHook = (...args) => hook(...args); // the same hook may be set twice
      hooks.add(own);
      return () => void hooks.delete(own);
    },
    close: unsubscribe,
  };
  houses.set(bouncer, house);
  return bouncer;
}

const unbounded: VerdictOptions = { limit: Number.POSITIVE_INFINITY };

/** Whoever misspells a field must hear of it, and not the client hear nothing. */
function checked<R extends Words["reason"]>(reason: R, words: object = {}): Extract<Words, { reason: R }> {
  objectOf("words", words, ["message", "localized", ...vocabulary[reason].fields]);
  const said = { ...words, reason };
  checkWords("words", said, builtInReasons);
  return said as unknown as Extract<Words, { reason: R }>;
}
