import { become, type Effect, type Step, stay } from "./effect.js";
import type { Input, InputOf } from "./input.js";
import { askedAgain, joined, left } from "./joined.js";
import { lost, sessionVerdict } from "./lost.js";
import { answered, confirmed, delivered, opened, presumedOpen, recovered } from "./opened.js";
import { paused, resumed } from "./pause.js";
import { probe } from "./queue.js";
import { refreshed, refused, retryNow, woken } from "./schedule.js";
import { healthy, type Moment, type Phase, type Rules, type State } from "./state.js";

/**
 * The machine: what a session knows after an input, what it tells, and what is to be done. Pure: the same arguments give
 * the same answer, so that a log of inputs and moments is a recording.
 */
export function step(state: State, input: Input, rules: Rules, moment: Moment): Step {
  if (state.phase.status === "closed" && input.type !== "joined") return stay(state); // for good
  const arrow = arrows[input.type] as Arrow<Input["type"]>;
  return settled(state, arrow(state, input, rules, moment));
}

type Arrow<T extends Input["type"]> = (state: State, input: InputOf<T>, rules: Rules, moment: Moment) => Step;

/** What each input leads to. */
const arrows: { readonly [T in Input["type"]]: Arrow<T> } = {
  joined,
  "asked again": askedAgain,
  left,
  lost,
  opened,
  delivered,
  answered,
  refreshed,
  refused,
  paused,
  resumed,
  verdict: sessionVerdict,
  "retry asked": retryNow,
  "turn came": (state, _, rules, { now }) => (state.turnUntil === undefined ? stay(state) : probe(state, rules, now)),
  adopted: (state, { phase, bucket, events }) => become({ ...state, bucket }, phase, events),
  window: (state, { windowMs }) => stay({ ...state, windowMs }),
  restarted: (state) =>
    state.phase.status === "ended" ? become({ ...state, connected: false }, healthy) : stay(state),
  closed: (state) => become(state, { status: "closed" }),
  woken: (state, _, rules, moment) => awake(state)(state, rules, moment),
};

/** What is done when it is time, by where the machine stands. */
function awake({ phase, prober }: State): (state: State, rules: Rules, moment: Moment) => Step {
  switch (phase.status) {
    case "waiting":
      return woken;
    case "probing":
      return prober?.opened ? confirmed : presumedOpen;
    case "recovering":
      return recovered;
    default:
      return stay;
  }
}

/** What follows from where the machine has come to, whichever arrow led there. */
function settled(before: State, { state, events, effects }: Step): Step {
  const { phase, queue, streams } = state;
  const { status } = phase;
  const known: State = {
    ...state,
    prober: status === "probing" ? state.prober : undefined,
    turnUntil: phase === before.phase && queue.length > 0 ? state.turnUntil : undefined,
  };
  const further = [...effects, ...aboutRefresh(before.phase, phase)];
  if (hasTurn(before) && !hasTurn(known)) further.push({ type: "leave turn" });
  if ((status === "healthy" || status === "recovering") && queue.length > 0) {
    const released = queue.map((stream): Effect => ({ type: "let go", stream }));
    return { state: { ...known, queue: [] }, events, effects: [...further, ...released] };
  }
  if ((status === "ended" || status === "closed") && streams.size > 0) {
    const stop: Effect = { type: "stop", streams: [...streams.keys()], by: status === "ended" ? phase : undefined };
    return { state: { ...known, streams: new Map(), queue: [] }, events, effects: [...further, stop] };
  }
  return { state: known, events, effects: further };
}

/** Asked for, or used by a probe. */
function hasTurn({ phase, turnUntil }: State): boolean {
  return phase.status === "probing" || turnUntil !== undefined;
}

/** A pause leaves a refresh in flight alone: where tokens rotate, an aborted one may have been spent. */
function aboutRefresh(before: Phase, after: Phase): readonly Effect[] {
  if (after === before) return [];
  if (after.status === "refreshing") return [{ type: "start refresh" }];
  const wanted = before.status === "refreshing" || before.status === "paused";
  return wanted && after.status !== "paused" ? [{ type: "abort refresh" }] : [];
}
