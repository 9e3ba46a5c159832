import { become, type Step, stay } from "./effect.js";
import type { InputOf } from "./input.js";
import { healthyAfter } from "./outage.js";
import { paused, resumed } from "./pause.js";
import { away, enqueue, factsOf, withStream } from "./queue.js";
import { retryNow, taken } from "./schedule.js";
import type { Moment, Rules, State } from "./state.js";

/**
 * A stream wants to be opened: at once, or when the others that wait are. It may be one that begins anew: if it probes, so
 * does its probe. `pause`: why nothing may go out now.
 */
export function joined(before: State, { stream, pause: why }: InputOf<"joined">, rules: Rules, moment: Moment): Step {
  const { id } = stream.label;
  const { prober } = before;
  const state = prober?.stream === id ? { ...before, prober: { ...prober, opened: undefined } } : before;
  const waits = why !== undefined && stream.reopenable;
  const fresh = { returning: false, away: false, healthyAt: moment.now + healthyAfter(rules, false) };
  const facts = { ...fresh, ...factsOf(state, id), ...stream };
  const known = withStream(state, waits ? away(facts, moment.now) : facts);
  return waits ? paused(enqueue(known, id), { why }, rules, moment) : admit(known, id, rules, moment);
}

/** A stream that was let go could not try yet: it may still, unless an outage has begun. */
export function askedAgain(state: State, { stream }: InputOf<"asked again">, rules: Rules, moment: Moment): Step {
  return state.queue.includes(stream) ? stay(state) : admit(state, stream, rules, moment);
}

function admit(state: State, id: number, rules: Rules, moment: Moment): Step {
  const { phase, prober } = state;
  const facts = factsOf(state, id);
  if (!facts || phase.status === "ended" || phase.status === "closed") return stay(state); // it is stopped with the others
  const open = phase.status === "healthy" || phase.status === "recovering" || prober?.stream === id;
  if (open || !facts.reopenable) return { ...stay(state), effects: [{ type: "let go", stream: id }] };
  const queued = enqueue(withStream(state, away(facts, moment.now)), id);
  // The first after all others have left did not fail: it need not wait as long as they were to.
  return state.queue.length === 0 && !facts.returning ? retryNow(queued, undefined, rules, moment) : stay(queued);
}

/** A stream has ended. Where it probed, its attempt undecided, the next one does, as soon as the rate limit lets it. */
export function left(state: State, { stream: id }: InputOf<"left">, rules: Rules, moment: Moment): Step {
  const { phase, prober } = state;
  const streams = state.streams.filter(({ label }) => label.id !== id);
  if (streams.length === state.streams.length) return stay(state);
  const others: State = { ...state, streams, queue: state.queue.filter((waiting) => waiting !== id) };
  if (streams.length === 0 && phase.status === "paused") return resumed(others, undefined, rules, moment);
  if (phase.status !== "probing" || prober?.stream !== id) return stay(others);
  const { bucket, at } = taken(state, rules, moment.now + 1);
  const { outage } = phase;
  return become({ ...others, bucket }, { status: "waiting", outage, until: at, refresh: false, refund: state.bucket });
}
