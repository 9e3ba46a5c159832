import type { Pause } from "../ports/pause.js";
import { become, type Step, stay } from "./effect.js";
import { paused, resumed } from "./pause.js";
import { enqueue, withStream } from "./queue.js";
import { retryNow, taken } from "./schedule.js";
import type { Rules, State, StreamFacts } from "./state.js";

/** A stream wants to be opened: at once, or when the others that wait are. `pause`: why nothing may go out now. */
export function joined(
  state: State,
  stream: Pick<StreamFacts, "label" | "reopenable" | "resumes">,
  pause: Pause | undefined,
  rules: Rules,
  now: number,
): Step {
  const { id } = stream.label;
  const known = withStream(state, id, { ...stream, returning: false, away: false });
  if (pause === undefined || !stream.reopenable) return admit(known, id, rules, now);
  return paused(enqueue(withStream(known, id, { ...stream, returning: false, away: true }), id), pause, now);
}

/** A stream that was let go could not try yet: it may still, unless an outage has begun. */
export function askedAgain(state: State, id: number, rules: Rules, now: number): Step {
  return state.streams.has(id) && !state.queue.includes(id) ? admit(state, id, rules, now) : stay(state);
}

function admit(state: State, id: number, rules: Rules, now: number): Step {
  const { phase, prober } = state;
  const facts = state.streams.get(id);
  if (!facts || phase.status === "ended") return stay(state); // it is stopped with the others
  const open = phase.status === "healthy" || phase.status === "recovering" || prober?.stream === id;
  if (open || !facts.reopenable) return { ...stay(state), effects: [{ type: "let go", stream: id }] };
  const queued = enqueue(withStream(state, id, { ...facts, away: true }), id);
  // The first after all others have left did not fail: it need not wait as long as they were to.
  return state.queue.length === 0 && !facts.returning ? retryNow(queued, rules, now) : stay(queued);
}

/** A stream has ended. Where it probed, its attempt undecided, the next one does, as soon as the rate limit lets it. */
export function left(state: State, id: number, rules: Rules, now: number): Step {
  if (!state.streams.has(id)) return stay(state);
  const { phase, prober } = state;
  const streams = new Map(state.streams);
  streams.delete(id);
  const others: State = { ...state, streams, queue: state.queue.filter((waiting) => waiting !== id) };
  if (streams.size === 0 && phase.status === "paused") return resumed(others, rules, { now, random: 0 });
  if (phase.status !== "probing" || prober?.stream !== id) return stay(others);
  const { bucket, at } = taken(state, rules, now + 1);
  return become({ ...others, bucket }, { status: "waiting", outage: phase.outage, until: at, refund: state.bucket });
}
