import { invalid, objectOf } from "../../check/invalid.js";
import { checkWords } from "../../check/words.js";
import { builtInReasons, vocabulary } from "../../disconnect/reasons.js";
import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { Report } from "../inside/report.js";
import type { Store } from "../store/store.js";
import { checkSelector, keyOf, type Selector } from "../who/selector.js";
import type { Words, WordsOf } from "../words/words.js";
import {
  type Attribution,
  checkAttribution,
  checkHoldOptions,
  type HoldOptions,
  type VerdictOptions,
} from "./options.js";
import type { NewRestriction } from "./reminders.js";
import type { NewVerdict, Verdicts } from "./verdicts.js";

/** What a bouncer can be told to decide about clients. */
export interface Commands {
  /**
   * Puts clients out: `kicked`. Who did not hear it is told when it comes back. They may come back by a new
   * decision of their user's, with the token that they have: `revoke` or `ban` if they must not. With `holdMs` who comes within
   * that time is put out as well.
   */
  kick(selector: Selector, words?: WordsOf<"kicked">, options?: HoldOptions): Promise<Report>;
  /** Puts clients out and keeps them out until `until`, or for good. The selector is one user, session or tag. */
  ban(selector: Selector, words?: WordsOf<"banned">, options?: VerdictOptions): Promise<Report>;
  /** Lets in again whom a `ban`, a `throttle` or a `holdMs` keeps out. Answers whether there was one. Takes the same selector. */
  lift(selector: Selector, attribution?: Attribution): Promise<boolean>;
  /** The same as `lift`, by the name that goes with `ban`. */
  unban(selector: Selector, attribution?: Attribution): Promise<boolean>;
  /** Puts clients out in favour of another session of the same account. The option `logins` does it by itself. */
  supersede(selector: Selector, words?: WordsOf<"superseded">, options?: HoldOptions): Promise<Report>;
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
}

export function createCommands(verdicts: Verdicts, store: Store, audit: Audit, clock: Clock): Commands {
  async function carryOut(wanted: NewVerdict, options?: VerdictOptions): Promise<Report> {
    const { epoch: _, ...report } = await verdicts.carryOut(wanted, options);
    return report;
  }

  /** @throws TypeError that names the field, where the time is not to come */
  function keepingOut(key: string, field: string, until: Date | undefined): NewRestriction {
    const end = until?.getTime();
    if (end !== undefined && end <= clock.now()) throw invalid(field, until, "a Date in the future");
    return { key, until: end, once: false };
  }

  /** Carries out what may be held against whoever comes within a while. */
  async function carryOutAndHold(wanted: NewVerdict, options: HoldOptions = {}): Promise<Report> {
    const [holdMs, rest] = checkHoldOptions(options);
    if (holdMs === 0) return carryOut(wanted, rest);
    const restrictions = [{ key: keyOf(wanted.selector), until: clock.now() + holdMs, once: false }];
    return carryOut({ ...wanted, restrictions, holdMs }, rest);
  }

  async function lift(selector: Selector, attribution: Attribution = {}): Promise<boolean> {
    const { by, note } = checkAttribution(attribution);
    const lifted = await store.lift(keyOf(selector), clock.now());
    audit.note({ event: "lift", selector, lifted, by, note }, "lift");
    return lifted;
  }

  async function epoch(user: string): Promise<number> {
    checkSelector({ user });
    return (await store.epoch(user))?.number ?? 0;
  }

  return {
    async kick(selector, words, options) {
      return carryOutAndHold({ selector: checkSelector(selector), words: checked("kicked", words) }, options);
    },
    async ban(selector, words, options) {
      const key = keyOf(selector);
      const said = checked("banned", words);
      const restrictions = [keepingOut(key, "words.until", said.until)];
      return carryOut({ selector, words: said, restrictions }, options);
    },
    lift,
    unban: lift,
    async supersede(selector, words, options) {
      const said = checked("superseded", words);
      return carryOutAndHold({ selector: checkSelector(selector), words: said }, options);
    },
    async expire(selector, words, options) {
      return carryOut({ selector: checkSelector(selector), words: checked("unauthenticated", words) }, options);
    },
    async throttle(selector, words, options) {
      const said = checked("throttled", words);
      if (said.retryAt === undefined) return carryOut({ selector: checkSelector(selector), words: said }, options);
      const restrictions = [keepingOut(keyOf(selector), "words.retryAt", said.retryAt)];
      return carryOut({ selector, words: said, restrictions }, options);
    },
    async revoke(user, words, options) {
      const selector = checkSelector({ user });
      const said = { message: "the credentials were revoked", ...checked("unauthenticated", words) };
      const { epoch: raised, ...report } = await verdicts.carryOut({ selector, words: said, revokes: user }, options);
      return { ...report, epoch: raised ?? (await epoch(user)) };
    },
    epoch,
  };
}

/** Whoever misspells a field must hear of it, and not the client hear nothing. */
function checked<R extends Words["reason"]>(reason: R, words: object = {}): Extract<Words, { reason: R }> {
  objectOf("words", words, ["message", "localized", ...vocabulary[reason].fields]);
  const said = { ...words, reason };
  checkWords("words", said, builtInReasons);
  return said as unknown as Extract<Words, { reason: R }>;
}
