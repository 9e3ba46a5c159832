import type { Transport } from "@connectrpc/connect";
import type { Disconnect, DisconnectInit } from "../disconnect/disconnect.js";
import type { Step } from "../machine/effect.js";
import type { SessionEvent } from "../machine/events.js";
import type { Input } from "../machine/input.js";
import type { Moment, Phase, Rules, State, Waiting } from "../machine/state.js";
import type { Bucket, RateLimit } from "../policy/rate-limit.js";
import type { Clock } from "../ports/clock.js";
import { answerOf, guarded } from "../ports/guarded.js";
import type { Pause } from "../ports/pause.js";
import type { SessionStream } from "../stream/host.js";

// All that an extension needs of the rooms below.
export { event } from "../machine/events.js";
export { floorMs, movedBy, recovering } from "../machine/outage.js";
export type { Outage } from "../machine/state.js";
export { createBudget } from "../policy/rate-limit.js";
export type { Bucket, Clock, Moment, Pause, Phase, Rules, SessionEvent, SessionStream, State, Waiting };

/**
 * Takes part in a session: a page, tabs that share what they know, a control stream. It is called once for each session
 * that it is given to, and answers with what it wants to be asked and told.
 */
export type Extension = (session: SessionPort) => Attached;

/** What a session gives to its extensions. */
export interface SessionPort {
  /** The app's transport: what goes out on it is no part of the session. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly streams: Iterable<SessionStream>;
  /** How long the app wants to wait for headers. */
  readonly headersTimeoutMs: number | undefined;
  /** For its calls: within it, an extension may call as often as the session does. */
  readonly rateLimit: RateLimit | undefined;
  readonly reportError: (error: unknown) => void;
  /** What `pause` answers may have changed, or the connection may have been lost. */
  look(): void;
  /** What `recall` answers may have changed. */
  consult(): void;
  /** Over how many ms the server wants a return to be spread. */
  setReturnWindow(windowMs: number | undefined): void;
  /** The server announced something, for a time if that is known: it is told, and explains a stream that is cut. */
  announced(words: DisconnectInit, at: Date | undefined): void;
  /** The server decided something: it explains what is cut with it, and a verdict ends the session. */
  decided(words: DisconnectInit): void;
  /** What the server said explains what is cut with it. */
  explain(words: DisconnectInit): void;
  /** A call of the extension failed with this: a verdict in it ends the session. Answers with the verdict. */
  overheard(error: unknown): Disconnect | undefined;
}

/** What an extension wants to be asked and told. A session asks and tells only while it is in use. */
export interface Attached {
  /** Why nothing may go out now, though nothing is wrong with the server. */
  pause?(): Pause | undefined;
  /** The session has streams, from now on until the removal that it answers with is called. */
  watch?(): () => void;
  /** What is known from other tabs, or from an earlier page. `first`: the session's first stream is about to come. */
  recall?(state: State, rules: Rules, moment: Moment, first: boolean): Adoption | undefined;
  /** The machine has taken a step. */
  stepped?(record: StepRecord): void;
  /** Resolves when it is this session's turn to probe. The turn is over when the signal aborts. */
  turn?(signal: AbortSignal): Promise<void>;
  /** The way for the session's own calls. */
  through?(transport: Transport): Transport;
  /** The app's `refresh` has got new credentials: what goes out from now on has them. */
  refreshed?(): void;
  /** After a verdict, a new login begins. */
  restarted?(): void;
  /** The session is closed, for good. */
  closed?(): void;
}

/** Where the machine is to stand by what others know. */
export interface Adoption {
  readonly phase: Phase;
  readonly bucket: Bucket;
  readonly events: readonly SessionEvent[];
}

/** One step of the machine, complete: who has all of them can take them again. */
export interface StepRecord extends Step {
  readonly before: State;
  readonly input: Input;
  readonly moment: Moment;
}

/**
 * Several extensions as one. The first that has an answer gives it. What one of them throws or rejects with is reported, and no
 * more.
 */
export function together(attached: readonly Attached[], reportError: (error: unknown) => void): Required<Attached> {
  function first<T>(ask: (each: Attached) => T | undefined): T | undefined {
    for (const each of attached) {
      const answer = answerOf(() => ask(each), reportError);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
  function all(tell: (each: Attached) => unknown, failed = reportError): Promise<unknown> {
    return Promise.all(attached.map((each) => guarded(() => tell(each), failed)));
  }
  return {
    pause: () => first((each) => each.pause?.()),
    watch() {
      const removals = attached.map((each) => answerOf(() => each.watch?.(), reportError));
      return () => {
        for (const remove of removals) void guarded(() => remove?.(), reportError);
      };
    },
    recall: (...known) => first((each) => each.recall?.(...known)),
    stepped: (record) => void all((each) => each.stepped?.(record)),
    async turn(signal) {
      await all(
        (each) => each.turn?.(signal),
        (error) => signal.aborted || reportError(error),
      );
    },
    through: (transport) =>
      attached.reduce((inner, each) => answerOf(() => each.through?.(inner), reportError) ?? inner, transport),
    refreshed: () => void all((each) => each.refreshed?.()),
    restarted: () => void all((each) => each.restarted?.()),
    closed: () => void all((each) => each.closed?.()),
  };
}
