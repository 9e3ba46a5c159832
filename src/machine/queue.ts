import { type Step, stay } from "./effect.js";
import { healthyAfter } from "./outage.js";
import type { Prober, Rules, State, StreamFacts } from "./state.js";

/** So many ms without an answer, and the others follow: many servers send no headers before the first message. */
const presumeAfterMs = 500;

/** The first in the queue stands for all. */
export function probe(state: State, rules: Rules, now: number): Step {
  const { phase, queue } = state;
  const [first, ...others] = queue;
  if (phase.status !== "waiting" || first === undefined) return stay(state);
  const outage = { ...phase.outage, attempts: phase.outage.attempts + 1 };
  const presumedAt = rules.timesHeaders ? undefined : now + presumeAfterMs;
  const prober: Prober = { stream: first, presumedAt, opened: undefined };
  const next: State = {
    ...sent(state, [first], rules, now),
    queue: others,
    prober,
    phase: { status: "probing", outage },
  };
  return { state: next, events: [], effects: [{ type: "let go", stream: first }] };
}

/** At the end of the queue, unless it waits already. */
export function enqueue(state: State, id: number): State {
  return state.queue.includes(id) ? state : { ...state, queue: [...state.queue, id] };
}

/** What is known of one stream. */
export function factsOf({ streams }: State, id: number): StreamFacts | undefined {
  return streams.find(({ label }) => label.id === id);
}

/** With these facts about one stream. */
export function withStream(state: State, facts: StreamFacts): State {
  const { streams } = state;
  const { id } = facts.label;
  const known = factsOf(state, id);
  return { ...state, streams: known ? streams.map((each) => (each === known ? facts : each)) : [...streams, facts] };
}

/** Attempts go out that had to wait. */
export function sent(state: State, ids: readonly number[], rules: Rules, now: number): State {
  const those = new Set(ids);
  const healthyAt = now + healthyAfter(rules, false);
  const streams = state.streams.map((facts) =>
    those.has(facts.label.id) ? { ...facts, healthyAt: facts.healthyAt ?? healthyAt } : facts,
  );
  return { ...state, streams };
}

/** A stream that is away. That it was healthy is kept; that it would have been is not. */
export function away(facts: StreamFacts, now: number): StreamFacts {
  return { ...facts, away: true, healthyAt: wasHealthy(facts, now) ? facts.healthyAt : undefined };
}

export function wasHealthy(facts: StreamFacts | undefined, now: number): boolean {
  return facts?.healthyAt !== undefined && facts.healthyAt <= now;
}

/** Whether any stream, but for one, is to be opened. */
export function isAway({ streams }: State, but?: number): boolean {
  return streams.some(({ away, label }) => away && label.id !== but);
}
