import { become, type Step, stay } from "./effect.js";
import { event, type Gap, type SessionEvent } from "./events.js";
import type { InputOf } from "./input.js";
import { healthyAfter, isHealthy, recovering } from "./outage.js";
import { factsOf, wasHealthy, withStream } from "./queue.js";
import { healthy, type Moment, type Outage, type Prober, type Rules, type State } from "./state.js";

/** A stream counts as let in with its first message, or so many ms after its headers: a refusal may follow them. */
const confirmAfterMs = 200;

/** A stream has headers. */
export function opened(state: State, { stream: id, first }: InputOf<"opened">, rules: Rules, { now }: Moment): Step {
  const { prober } = state;
  const letInAt = state.letInAt ?? now + confirmAfterMs;
  if (prober?.stream !== id) return letIn({ ...state, letInAt }, id, first, rules, now);
  return stay({ ...state, prober: { ...prober, opened: { at: now, first, confirmedAt: now + confirmAfterMs } } });
}

/** A stream has the first message of an attempt. */
export function delivered(
  state: State,
  { stream: id, reopenable }: InputOf<"delivered">,
  rules: Rules,
  { now }: Moment,
): Step {
  const facts = factsOf(state, id);
  if (!facts) return stay(state);
  const known = facts.reopenable === reopenable ? state : withStream(state, { ...facts, reopenable });
  return known.prober?.stream === id ? confirm(known, known.prober, rules) : stay({ ...known, letInAt: now });
}

/** No refusal has followed the headers. */
export function confirmed(state: State, rules: Rules, { now }: Moment): Step {
  const { prober } = state;
  return prober?.opened && prober.opened.confirmedAt <= now ? confirm(state, prober, rules) : stay(state);
}

function confirm(state: State, { stream, opened }: Prober, rules: Rules): Step {
  return opened ? letIn(inNewRow(state), stream, opened.first, rules, opened.at) : stay(state);
}

/** What fails after a let-in is no more of the row before it. */
function inNewRow(state: State): State {
  const { phase } = state;
  return phase.status === "probing"
    ? { ...state, phase: { ...phase, outage: { ...phase.outage, row: undefined } } }
    : state;
}

/** The prober was not refused, though nothing came for long: the others may try too. */
export function presumedOpen(state: State, rules: Rules, { now }: Moment): Step {
  const { phase, prober } = state;
  if (phase.status !== "probing" || prober?.presumedAt === undefined || prober.presumedAt > now) return stay(state);
  return become(state, recovering(phase.outage, now, rules));
}

/** The probe was answered with something that is no disconnect: the path is open, though that stream is not. */
export function answered(state: State, { stream: id }: InputOf<"answered">, rules: Rules, { now }: Moment): Step {
  const { phase, prober } = state;
  if (phase.status !== "probing" || prober?.stream !== id) return stay(state);
  if (prober.opened) return confirm(state, prober, rules);
  const { outage } = phase;
  const events = reconnected(state, outage, "unknown", now);
  return become(state, recovering({ ...outage, down: false, row: undefined }, now, rules), events);
}

/**
 * The session may be healthy now: then nothing is left of the outage. A stream that was only presumed open, and was not
 * refused for so long, has told nobody yet that it is back.
 */
export function recovered(state: State, _: Rules, { now }: Moment): Step {
  const { phase } = state;
  if (phase.status !== "recovering" || !isHealthy(phase, now)) return stay(state);
  return become(state, healthy, phase.outage.down ? reconnected(state, phase.outage, "unknown", now) : []);
}

/** The path is open again, where it was open before. */
function reconnected({ connected }: State, outage: Outage, gap: Gap, now: number): readonly SessionEvent[] {
  const attempts = outage.attempts - outage.attemptsBefore;
  return connected ? [event("reconnected", { downMs: now - outage.downAt, attempts, gap })] : [];
}

/** A stream is open. `first`: it never was before, so it is no part of an outage. */
function letIn(state: State, id: number, first: boolean, rules: Rules, now: number): Step {
  const facts = factsOf(state, id);
  if (!facts) return stay(state);
  const { phase } = state;
  const { label: stream } = facts;
  const resumed = facts.resumes && state.queue.every((waiting) => factsOf(state, waiting)?.resumes);
  const gap = resumed ? "resumed" : "unknown";
  const events: SessionEvent[] = [first ? event("streamOpened", { stream }) : event("streamReopened", { stream, gap })];
  if (!state.connected) events.unshift(event("connected", { stream }));
  const healthyAt = wasHealthy(facts, now) ? facts.healthyAt : now + healthyAfter(rules, true);
  const known: State = { ...withStream(state, { ...facts, away: false, healthyAt }), connected: true };
  if (phase.status !== "probing" && phase.status !== "recovering") return { ...stay(known), events };
  const { outage } = phase;
  if (outage.down) events.unshift(...reconnected(state, outage, gap, now));
  if (first && !outage.down) return { ...stay(known), events };
  return become(known, recovering({ ...outage, down: false }, now, rules), events);
}
