import { type Effect, type Step, stay } from "./effect.js";
import type { Input } from "./input.js";
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
  return settled(state, arrow(state, input, rules, moment));
}

function arrow(state: State, input: Input, rules: Rules, moment: Moment): Step {
  const { now } = moment;
  if (state.phase.status === "closed") return stay(state); // for good
  switch (input.type) {
    case "joined":
      return joined(state, input.stream, input.pause, rules, now);
    case "asked again":
      return askedAgain(state, input.stream, rules, now);
    case "left":
      return left(state, input.stream, rules, now);
    case "lost":
      return lost(state, input, rules, moment);
    case "opened":
      return opened(state, input.stream, input.first, rules, now);
    case "delivered":
      return delivered(state, input.stream, input.reopenable, rules);
    case "answered":
      return answered(state, input.stream, rules, now);
    case "refreshed":
      return refreshed(state, rules, now);
    case "refused":
      return refused(state, input.why);
    case "paused":
      return paused(state, input.why, now);
    case "resumed":
      return resumed(state, rules, moment);
    case "verdict":
      return sessionVerdict(state, input);
    case "retry asked":
      return retryNow(state, rules, now);
    case "turn came":
      return state.turnUntil !== undefined ? probe(state, rules, now) : stay(state);
    case "adopted":
      return { state: { ...state, phase: input.phase, bucket: input.bucket }, events: input.events, effects: [] };
    case "window":
      return stay({ ...state, windowMs: input.windowMs });
    case "restarted":
      if (state.phase.status !== "ended") return stay(state);
      return stay({ ...state, phase: healthy, connected: false });
    case "closed":
      return stay({ ...state, phase: { status: "closed" } });
    case "woken":
      return awake(state, rules, moment);
    default:
      return input satisfies never;
  }
}

function awake(state: State, rules: Rules, moment: Moment): Step {
  const { now } = moment;
  switch (state.phase.status) {
    case "waiting":
      return woken(state, rules, moment);
    case "probing":
      return state.prober?.opened ? confirmed(state, rules, now) : presumedOpen(state, rules, now);
    case "recovering":
      return recovered(state, now);
    default:
      return stay(state);
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
