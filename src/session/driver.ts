import type { Effect, Step } from "../machine/effect.js";
import { event, type SessionEvent } from "../machine/events.js";
import type { Input } from "../machine/input.js";
import { movedBy } from "../machine/outage.js";
import { begin, type Moment, type Rules, type SessionState, type State } from "../machine/state.js";
import { step } from "../machine/step.js";
import { visible } from "../machine/visible.js";
import { wakeAt } from "../machine/wake-at.js";
import type { Clock } from "../ports/clock.js";
import { createAlarm } from "./alarm.js";
import type { Attached } from "./extension.js";

/** Feeds inputs to the machine, tells what it answers, and has it carried out. It owns the machine's only timer. */
export interface Driver {
  readonly rules: Rules;
  /** All that the machine knows. */
  readonly machine: State;
  /** Where the session stands, for who looks at it. */
  readonly state: SessionState;
  /** Time and chance now. */
  moment(): Moment;
  /** `first`: what is told before what the machine tells. */
  feed(input: Input, moment?: Moment, ...first: readonly SessionEvent[]): void;
  /** Tells an event that is none of the machine's, in its place among the others. */
  emit(event: SessionEvent): void;
  /** What `recall` of the extensions answers may have changed. `first`: the session's first stream is about to come. */
  consult(first?: boolean): void;
}

export interface DriverOptions {
  readonly clock: Clock;
  readonly rules: Rules;
  readonly extensions: Required<Attached>;
  readonly tell: (event: SessionEvent) => void;
  /** A later input may have voided the effect. */
  readonly carryOut: (effect: Effect, state: State) => void;
}

export function createDriver({ clock, rules, extensions, tell, carryOut }: DriverOptions): Driver {
  const outbox: Pick<Step, "events" | "effects">[] = [];
  let state = begin(rules, clock.monotonic());
  let seen = visible(state, clock.monotonic());
  let shown = seen;
  let told = seen;
  let telling = false;
  const alarm = createAlarm(clock, () => {
    if (state.turnUntil !== undefined) consult();
    feed({ type: "woken" });
  });

  const moment = (): Moment => ({ now: clock.monotonic(), wall: clock.now(), random: clock.random() });

  /** The state changes at once; what is to be told and done comes after what is being told and done now. */
  function feed(input: Input, at: Moment = moment(), ...first: readonly SessionEvent[]): void {
    const before = state;
    const answer = step(before, input, rules, at);
    state = answer.state;
    const { events, effects } = answer;
    outbox.push({ events: [...first, ...events], effects }); // before the extensions: they may bring about the next input
    extensions.stepped({ ...answer, before, input, moment: at });
    send();
  }

  function send(): void {
    if (telling) return;
    telling = true;
    for (let next = outbox.shift(); next; next = outbox.shift()) {
      for (const happened of next.events) tell(happened);
      if (outbox.length === 0) show();
      for (const effect of next.effects) carryOut(effect, state);
    }
    telling = false;
    alarm.set(wakeAt(state));
  }

  /** With its times as dates, once: the same object for as long as it is the same. */
  function look(): SessionState {
    const now = clock.monotonic();
    const next = visible(state, now);
    if (next !== seen) shown = movedBy(clock.now() - now, next);
    seen = next;
    return shown;
  }

  function show(): void {
    const next = look();
    if (next === told) return;
    told = next;
    tell(event("state", next));
  }

  function emit(...events: readonly SessionEvent[]): void {
    outbox.push({ events, effects: [] });
    send();
  }

  function consult(first = false): void {
    const adoption = extensions.recall(state, rules, moment(), first);
    if (adoption) feed({ type: "adopted", ...adoption });
  }

  const begun = extensions.recall(state, rules, moment(), false);
  if (begun) {
    const { phase, bucket, events } = begun;
    state = { ...state, phase, bucket };
    // In a moment, when the app listens.
    Promise.resolve().then(() => state.phase === phase && emit(...events));
  }

  return {
    rules,
    get machine() {
      return state;
    },
    get state() {
      return look();
    },
    moment,
    feed,
    emit,
    consult,
  };
}
