import { become, type Effect, type Step, stay } from "./effect.js";
import type { Input, InputOf } from "./input.js";
import { askedAgain, joined, left } from "./joined.js";
import { lost, sessionVerdict } from "./lost.js";
import { answered, confirmed, delivered, opened, presumedOpen, recovered } from "./opened.js";
import { paused, resumed } from "./pause.js";
import { probe, sent } from "./queue.js";
import { refreshDue, refreshed, refreshFailed, refused } from "./refresh.js";
import { retryAsked, woken } from "./schedule.js";
import { healthy, type Moment, type Phase, type Rules, type State } from "./state.js";

/**
 * The machine: what a session knows after an input, what it tells, and what is to be done. Pure: the same arguments give
 * the same answer, so that a log of inputs and moments is a recording.
 */
export function step(state: State, input: Input, rules: Rules, moment: Moment): Step {
  if (state.phase.status === "closed" && input.type !== "joined") return stay(state); // for good
  const arrow = arrows[input.type] as Arrow<Input["type"]>;
  return settled(state, arrow(state, input, rules, moment), rules, moment);
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
  "refresh failed": refreshFailed,
  "refresh due": refreshDue,
  paused,
  resumed,
  verdict: sessionVerdict,
  "retry asked": retryAsked,
  "turn came": (state, _, rules, { now }) => (state.turnUntil === undefined ? stay(state) : probe(state, rules, now)),
  adopted: (state, { phase, bucket, events }) => become({ ...state, bucket }, phase, events),
  window: (state, { windowMs }) => stay({ ...state, windowMs }),
  restarted: (state) =>
    state.phase.status === "ended" ? become({ ...state, connected: false, refreshFailures: 0 }, healthy) : stay(state),
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
function settled(before: State, { state, events, effects }: Step, rules: Rules, { now }: Moment): Step {
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
    return { state: { ...sent(known, queue, rules, now), queue: [] }, events, effects: [...further, ...released] };
  }
  if ((status === "ended" || status === "closed") && streams.length > 0) {
    const stop: Effect = {
      type: "stop",
      streams: streams.map(({ label }) => label.id),
      by: status === "ended" ? phase : undefined,
    };
    return { state: { ...known, streams: [], queue: [] }, events, effects: [...further, stop] };
  }
  return { state: known, events, effects: further };
}

/** Asked for, or used by a probe. */
function hasTurn({ phase, turnUntil }: State): boolean {
  return phase.status === "probing" || turnUntil !== undefined;
}

/** A page that is hidden has its network: where tokens rotate, a refresh that is aborted may have been spent. */
function aboutRefresh(before: Phase, after: Phase): readonly Effect[] {
  const refreshes = after.status === "refreshing";
  if (refreshes === (before.status === "refreshing") || ("why" in after && after.why === "hidden")) return [];
  return [{ type: refreshes ? "start refresh" : "abort refresh" }];
}
