import { pausedBy } from "../disconnect/classify.js";
import type { Disconnect } from "../disconnect/disconnect.js";
import { errorOf } from "../disconnect/error-of.js";
import { event, type SessionEvent } from "../machine/events.js";
import * as pause from "../machine/pause.js";
import type { Moment, Phase, Rules, State, Step } from "../machine/state.js";
import * as transition from "../machine/transition.js";
import { defaultPolicies, type ResolvedPolicies } from "../policy/policy.js";
import { fullBucket } from "../policy/rate-limit.js";
import { type Clock, nextTurn } from "../ports/clock.js";
import type { Environment } from "../ports/environment.js";
import type { Followed } from "../stream/follow.js";
import type { Memory } from "./memory.js";
import { createRefresher } from "./refresh.js";

/**
 * After so many ms without an answer the others follow a knock: many servers, Connect-ES among them, send no headers
 * before the first message. Where there is a time-out for headers, it decides instead.
 */
const patienceMs = 500;

/** A knock counts as let in with its first message, or so many ms after its headers: a refusal may follow them. */
const letInMs = 200;

/** The turn to knock is not waited for longer than this: a tab that hangs must not hold the others. */
const turnMs = 10_000;

/** Who may try to open, and when: carries out what the transitions say. */
export interface Gate {
  readonly phase: Phase;
  readonly streams: ReadonlySet<Followed>;
  join(stream: Followed): void;
  leave(stream: Followed): void;
  /** Resolves when the stream may try. */
  admit(stream: Followed): Promise<void>;
  /** Resolves when a call that waits for nobody may go out: at once, or right after a connection has failed. */
  calm(): Promise<void>;
  /** It has headers. `first`: for the first time. */
  opened(stream: Followed, first: boolean): void;
  /** It has the first message of an attempt. */
  delivered(stream: Followed): void;
  /** Stops the stream, or all, or ends the session, as the policy says. True: the stream is to wait for its turn. */
  lost(stream: Followed, disconnect: Disconnect): boolean;
  /** Its attempt was answered with something that is no disconnect: the path is open. */
  answered(stream: Followed): void;
  /** A verdict was spoken elsewhere. */
  overheard(disconnect: Disconnect): void;
  /** Looks at what other tabs have found out, if nobody does so all the time. */
  consult(): void;
  /** Ends a wait early. */
  retry(): void;
  restart(): void;
  /** Over how long the server wants a return to be spread. */
  widen(windowMs: number | undefined): void;
  close(): void;
}

interface Surroundings {
  readonly clock: Clock;
  readonly rules: Rules;
  readonly openTimeoutMs: number | undefined;
  readonly environment: Environment | undefined;
  readonly memory: Memory | undefined;
  readonly refresh: ((signal: AbortSignal) => Promise<unknown>) | undefined;
  readonly emit: (...events: readonly SessionEvent[]) => void;
  readonly reportError: (error: unknown) => void;
}

type Knock = {
  readonly stream: Followed;
  readonly sentAt: number;
  readonly opened?: { readonly at: number; readonly first: boolean };
};

export function createGate(surroundings: Surroundings): Gate {
  const { clock, rules, openTimeoutMs, environment, memory, refresh, emit, reportError } = surroundings;
  const streams = new Set<Followed>();
  const queue = new Map<Followed, () => void>(); // streams that wait, in their order, and what lets each go
  const returning = new WeakSet<Followed>(); // streams that were lost, in contrast to new ones
  const away = new Set<Followed>(); // streams that are to be opened, or opened again
  let knock: Knock | undefined;
  let alarm = new AbortController();
  let turn = new AbortController(); // to knock for all tabs
  let unwatch: readonly (() => void)[] = []; // the device, the page and the other tabs, while there are streams
  let calm = Promise.resolve(); // or, right after a connection has failed, what calls wait for
  let state: State = {
    phase: transition.live,
    bucket: fullBucket(rules.rateLimit ?? { burst: 1, perMs: 1 }, clock.now()),
    connected: false,
    windowMs: undefined,
  };
  let shown = state.phase;
  const begun = memory?.recall(state, clock.now(), false);
  if (begun) {
    state = begun.state;
    // In a moment, when the app listens.
    if (begun.events.length > 0) Promise.resolve().then(() => state.phase === begun.state.phase && tell(begun.events));
  }

  const refresher = createRefresher(refresh, reportError, (failure) => {
    const now = clock.now();
    enter(failure === undefined ? transition.refreshed(state, rules, now) : transition.refused(state, failure));
  });

  /** Becomes the next state, tells the app, then does what the state asks for. A listener may have changed it again. */
  function enter(step: Step): void {
    const past = state;
    const before = past.phase;
    if (before.status === "closed") return; // for good, whatever was decided meanwhile
    const { phase } = step.state;
    state = step.state;
    const condemned = phase.status === "ended" && phase !== before ? [...streams] : [];
    memory?.remember(past, state, clock.now());
    tell(step.events);
    for (const stream of condemned) end(stream, phase);
    if (phase !== before && phase === state.phase) pursue();
  }

  function tell(events: readonly SessionEvent[]): void {
    emit(...events);
    const phase = visible();
    if (phase === shown) return;
    shown = phase;
    emit(event("phase", phase));
  }

  /** Where nobody waits, nothing is wrong. */
  function visible(): Phase {
    const phase = transition.visiblePhase(state, rules, clock.now());
    const { size } = phase.status === "following" ? streams : away;
    return size === 0 && "outage" in phase ? transition.live : phase;
  }

  /** What other tabs have found out. */
  function consult(first = false): void {
    if (memory) enter(memory.recall(state, clock.now(), first));
  }

  /** Can the device and the page go on? */
  function look(): void {
    const held = [...streams].filter(({ reopenable }) => reopenable);
    const why = environment?.pause;
    if (why !== undefined && held.length === 0) return; // nobody to hold
    if (why === undefined) {
      consult();
      enter(pause.resumed(state, held.length > 0, rules, { now: clock.now(), random: clock.random() }));
      return;
    }
    for (const stream of held) away.add(stream);
    enter(pause.paused(state, why, pausedBy(why), held[0]?.label, rules, clock.now()));
    for (const stream of held) if (state.phase.status === "paused") stream.lose({ paused: why });
  }

  function end(stream: Followed, phase: Phase): void {
    if (phase.status === "ended") stream.stop("stopped", errorOf(phase.disconnect), phase.disconnect, phase.why);
  }

  function pursue(): void {
    const { phase } = state;
    alarm.abort();
    alarm = new AbortController();
    if (phase.status !== "knocking") {
      knock = undefined;
      turn.abort();
    }
    if (phase.status !== "refreshing" && phase.status !== "paused") refresher.cancel();
    switch (phase.status) {
      case "following":
        if (streams.size > 0) {
          const leftMs = transition.healthyAt(phase, rules) - clock.now();
          after(leftMs, () => enter(transition.recovered(state, rules, clock.now())));
        }
        releaseAll();
        break;
      case "live":
        releaseAll();
        break;
      case "waiting":
        if (queue.size > 0) after(phase.until - clock.now(), send);
        break;
      case "knocking":
        if (knock?.opened) after(knock.opened.at + letInMs - clock.now(), letIn);
        else if (knock && openTimeoutMs === undefined) {
          after(knock.sentAt + patienceMs - clock.now(), () => enter(transition.unrefused(state, clock.now())));
        }
        break;
      case "refreshing":
        refresher.start();
        break;
      case "paused":
      case "ended":
      case "closed":
        break;
      default:
        phase satisfies never;
    }
  }

  /** The first in the queue knocks for all; of several tabs, the one whose turn it is. */
  function send(): void {
    if (!memory) {
      sendFirst();
      return;
    }
    const own = new AbortController();
    turn = own;
    const patience = clock.sleep(turnMs * (1 + clock.random()), own.signal); // not all tabs at once
    Promise.race([memory.turn(own.signal), patience]).then(
      () => {
        if (!own.signal.aborted) consult(); // somebody may have got through meanwhile
        if (!own.signal.aborted) sendFirst();
      },
      () => {}, // not wanted any more
    );
  }

  function sendFirst(): void {
    const [stream] = queue.keys();
    if (!stream) return;
    knock = { stream, sentAt: clock.now() };
    enter(transition.due(state));
    release(stream);
  }

  function letIn(): void {
    if (!knock?.opened) return;
    const { stream, opened } = knock;
    knock = undefined;
    open(stream, opened.first, opened.at);
  }

  function open(stream: Followed, first: boolean, at: number): void {
    away.delete(stream);
    const resumed = stream.resumes && [...queue.keys()].every((waiting) => waiting.resumes);
    enter(transition.opened(state, stream.label, first, resumed, at));
  }

  function release(stream: Followed): void {
    const go = queue.get(stream);
    queue.delete(stream);
    go?.();
  }

  function releaseAll(): void {
    for (const stream of [...queue.keys()]) release(stream);
  }

  function after(ms: number, then: () => void): void {
    clock.sleep(Math.max(1, ms), alarm.signal).then(then, () => {}); // rejects only when not wanted any more
  }

  function withdraw(stream: Followed): boolean {
    if (knock?.stream !== stream) return false;
    knock = undefined;
    return true;
  }

  /** A policy function that throws is reported, and the default decides. */
  function judge<T>(disconnect: Disconnect, by: (rules: Rules, moment: Moment) => T): T {
    const moment = { now: clock.now(), random: clock.random() };
    try {
      return by(rules, moment);
    } catch (error) {
      reportError(error);
      const preset = (defaultPolicies as ResolvedPolicies)[disconnect.reason] ?? "stop";
      return by({ ...rules, policies: { ...rules.policies, [disconnect.reason]: preset } }, moment);
    }
  }

  return {
    get phase() {
      return visible();
    },
    streams,
    join(stream) {
      const first = streams.size === 0;
      streams.add(stream);
      if (first) {
        unwatch = [environment?.watch(look), memory?.watch(() => consult())].filter((removal) => removal !== undefined);
        pursue();
        consult(true);
      }
      if (environment?.pause !== undefined) look();
      tell([]);
    },
    leave(stream) {
      streams.delete(stream);
      away.delete(stream);
      if (streams.size === 0) {
        for (const removal of unwatch) removal();
        unwatch = [];
        enter(pause.resumed(state, false, rules, { now: clock.now(), random: clock.random() }));
      }
      const waited = queue.has(stream);
      release(stream);
      if ((waited && queue.size === 0) || streams.size === 0) pursue(); // nobody is left to wake for
      if (withdraw(stream)) enter(transition.withdrawn(state, rules, clock.now()));
      tell([]);
    },
    calm: () => calm,
    async admit(stream) {
      await calm;
      const { status } = state.phase;
      if (!stream.reopenable || status === "live" || status === "following" || !streams.has(stream)) return;
      await new Promise<void>((resolve) => {
        queue.set(stream, () => resolve(calm));
        away.add(stream);
        if (queue.size > 1) return;
        // The first after all others have left did not fail: it need not wait as long as they were to.
        if (!returning.has(stream)) enter(transition.hastened(state, rules, clock.now()));
        pursue();
      });
    },
    opened(stream, first) {
      const at = clock.now();
      if (knock?.stream !== stream) return open(stream, first, at);
      knock = { ...knock, opened: { at, first } };
      pursue();
    },
    delivered(stream) {
      if (knock?.stream === stream) letIn();
    },
    lost(stream, disconnect) {
      const { label, reopenable } = stream;
      calm = nextTurn();
      const newcomer = !returning.has(stream);
      const alone = away.size === 0 || (away.size === 1 && away.has(stream));
      const loss = { disconnect, stream: label, knocker: withdraw(stream), newcomer, alone, reopenable };
      const step = judge(disconnect, (by, moment) => transition.lost(state, loss, by, moment));
      const { verdict } = step;
      const stopped = verdict.action === "stop-all" ? [stream, ...queue.keys()] : [stream];
      if (verdict.action === "wait") {
        returning.add(stream);
        away.add(stream);
      }
      const told = verdict.action === "wait" ? [event("streamLost", { stream: label, disconnect })] : [];
      enter({ state: step.state, events: [...told, ...step.events] });
      if (verdict.action === "wait") return true;
      for (const each of stopped) each.stop("stopped", errorOf(disconnect), disconnect, verdict.why);
      return false;
    },
    answered(stream) {
      if (knock?.stream === stream && knock.opened) letIn();
      else if (withdraw(stream)) enter(transition.answered(state, clock.now()));
    },
    overheard(disconnect) {
      enter(judge(disconnect, (by, moment) => transition.overheard(state, disconnect, by, moment)));
    },
    consult() {
      if (streams.size === 0) consult();
    },
    retry: () => enter(transition.hastened(state, rules, clock.now())),
    restart() {
      if (state.phase.status !== "ended") return;
      enter({ state: { ...state, phase: transition.live, connected: false }, events: [] });
    },
    widen(windowMs) {
      state = { ...state, windowMs };
    },
    close() {
      enter({ state: { ...state, phase: { status: "closed" } }, events: [] });
    },
  };
}
