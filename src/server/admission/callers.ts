import { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { Epoch, Store } from "../store/store.js";
import type { Holds } from "../verdict/holds.js";
import { type Identify, type IncomingCall, identityKey, type Who, whoIs } from "../who/identity.js";
import { keysOf } from "../who/selector.js";
import type { Crowd } from "./crowd.js";
import { type Judgement, judge } from "./judge.js";
import { type Patience, TooLateError } from "./patience.js";
import type { Refusals } from "./refusals.js";

/** Who calls, and whether something is remembered against them. */
export interface Callers {
  /** What `identify` answers, checked. Rejects with what it throws, and refuses where it does not answer in time. */
  identify(call: IncomingCall, address: string | undefined): Promise<Who>;
  /** Refuses whom a restriction, or a revocation, keeps out. */
  check(who: Who, call: IncomingCall): Promise<void>;
}

/** What the bouncer's options say about callers. */
export interface CallerSettings {
  readonly store: Store;
  readonly identify: Identify;
  readonly identifyTimeoutMs: number;
  readonly clockSkewMs: number;
}

/** What looking at callers needs. */
export interface CallerParts {
  readonly settings: CallerSettings;
  readonly holds: Holds;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly crowd: Crowd;
  readonly patience: Patience;
  readonly refusals: Refusals;
}

export function createCallers(parts: CallerParts): Callers {
  const { settings, holds, audit, clock, crowd, patience, refusals } = parts;
  const { store, clockSkewMs } = settings;
  return {
    async identify(call, address) {
      const leave = crowd.enter(address);
      if (!leave) return refusals(call).refuse(crowd.words());
      try {
        const identity = await patience(() => settings.identify(call), call.signal);
        call.contextValues.set(identityKey, identity);
        return whoIs(identity, call);
      } catch (error) {
        if (!isStatus(error)) audit.failure(error, "identify failed");
        if (error instanceof TooLateError) return refusals(call).refuseForNow();
        throw error;
      } finally {
        leave();
      }
    },
    async check(who, call) {
      const { refuse, ask } = refusals(call, who);
      const { user } = who;
      const now = clock.now();
      const restrictions = (await ask(() => store.restrictions(keysOf(who), now))).filter((one) => !holds.isOver(one));
      const epoch = user === undefined ? undefined : await ask(() => store.epoch(user));
      const found = judge(who, restrictions, epoch, now, clockSkewMs);
      if (!found) return;
      if (isUndated(who, epoch, found)) {
        audit.failureOnce(
          new Error("identify tells neither epoch nor issuedAt"),
          "a user whose tokens were revoked is refused",
        );
      }
      const { restriction, words } = found;
      if (restriction?.once) await ask(() => store.consume(restriction));
      refuse(words);
    },
  };
}

/** Refused only because the app does not say how old the credentials are. */
function isUndated(who: Who, epoch: Epoch | undefined, { restriction }: Judgement): boolean {
  return !restriction && epoch !== undefined && who.epoch === undefined && who.issuedAt === undefined;
}

/** Thrown to tell the client something, in contrast to a defect. */
function isStatus(error: unknown): boolean {
  return error instanceof ConnectError;
}
