import { isSpoken } from "../disconnect/spoken.js";
import type { Attempt } from "../policy/policy.js";
import { become, type Decided, type Step, stay } from "./effect.js";
import { event, type SessionEvent } from "./events.js";
import type { InputOf, Loss } from "./input.js";
import { dateOf, fallen, outageOf, recovering, remember } from "./outage.js";
import { away, enqueue, factsOf, isAway, wasHealthy, withStream } from "./queue.js";
import { schedule } from "./schedule.js";
import type { Moment, Outage, Rules, State, StreamFacts } from "./state.js";

/** What a loss means among the others, before a policy is asked. */
interface Weighed {
  readonly facts: StreamFacts;
  /** The outage that it belongs to, if there is one. */
  readonly before: Outage | undefined;
  /** It was this stream's attempt that stood for all. */
  readonly prober: boolean;
  /** Who waited for the next attempt has left. */
  readonly abandoned: boolean;
  /** It is not just one more stream of an outage that is known already. */
  readonly news: boolean;
  /** Which unhealthy ending in a row it is, for its reason. */
  readonly row: NonNullable<Outage["row"]>;
  /** Which it is in this outage. */
  readonly endings: number;
  /** It was refused with credentials from before the last refresh: those of now may be good. */
  readonly outdated: boolean;
}

function weigh(
  state: State,
  { stream, disconnect, sentAt }: Pick<Loss, "stream" | "disconnect" | "sentAt">,
  now: number,
): Weighed | undefined {
  const { phase, credentialsAt } = state;
  const facts = factsOf(state, stream);
  if (!facts || phase.status === "ended" || phase.status === "closed") return undefined;
  const past = phase.status === "recovering" && phase.outage.gaveUp && !facts.returning;
  const before = past ? undefined : outageOf(phase, now);
  const prober = state.prober?.stream === stream;
  const abandoned = phase.status === "waiting" && !isAway(state, stream);
  const news = before === undefined || prober || abandoned || phase.status === "recovering";
  const { reason, source } = disconnect;
  const letIn = state.letInAt !== undefined && state.letInAt <= now;
  const seen = !letIn && before?.row?.reason === reason ? before.row : { number: 0, inDoubt: 0 };
  const refused = reason === "unauthenticated";
  const outdated = refused && credentialsAt !== undefined && sentAt < credentialsAt;
  // Only who was sent after a refresh can prove that it did not help.
  const counts = news && !outdated && !(refused && credentialsAt === undefined);
  const more = counts || seen.number === 0 ? 1 : 0;
  const row = { reason, number: seen.number + more, inDoubt: source === "unknown" ? seen.inDoubt + more : 0 };
  return { facts, before, prober, abandoned, news, row, endings: (before?.endings ?? 0) + (news ? 1 : 0), outdated };
}

const first = { number: 1, ofOutage: 1, wasHealthy: false, previousMs: 0 };

/** What a policy is asked about a loss, or `undefined` where nothing is to be decided any more. */
export function attemptAt(
  state: State,
  loss: Pick<Loss, "stream" | "disconnect" | "sentAt">,
  rules: Rules,
  moment: Moment,
): Attempt | undefined {
  const weighed = weigh(state, loss, moment.now);
  if (!weighed) return undefined;
  const { facts, before, news, row, endings } = weighed;
  const { now } = moment;
  // What is decided about one that stands for all is decided about all.
  const healthy = wasHealthy(facts, now) || (news && state.queue.some((id) => wasHealthy(factsOf(state, id), now)));
  return attemptOfVerdict(state, rules, moment, {
    // Of who was healthy, those in doubt are bounded for themselves.
    number: (healthy && row.inDoubt) || row.number,
    ofOutage: endings,
    wasHealthy: healthy,
    previousMs: before?.previousMs ?? 0,
  });
}

/** What a policy is asked about a verdict that was heard elsewhere: it is the first of its kind. */
export function attemptOfVerdict(
  { windowMs }: State,
  { canRefresh }: Rules,
  { wall: now, random }: Moment,
  place: Pick<Attempt, "number" | "ofOutage" | "wasHealthy" | "previousMs"> = first,
): Attempt {
  return { ...place, canRefresh, windowMs, now, random };
}

/** A stream was lost, or could not be opened: it waits with the others, or stops, or the session ends. */
export function lost(state: State, loss: Loss, rules: Rules, moment: Moment): Step {
  const { disconnect, reopenable, resumes } = loss;
  const { now } = moment;
  const weighed = weigh(state, loss, now);
  if (!weighed) return stay(state);
  const { facts, before, prober, endings, outdated } = weighed;
  const [row, decision] = outdated ? [before?.row, { ...loss.decision, refresh: false }] : [weighed.row, loss.decision];
  const { label: stream } = facts;
  const { reason } = disconnect;
  const told = before?.told ?? [];
  const events: SessionEvent[] = [];
  if (!before) events.push(event("disconnected", { disconnect, stream }));
  if (!told.includes(reason)) events.push({ type: reason, payload: disconnect } as SessionEvent);

  // A bare status on a call that is not reopened is that call's answer, and says nothing about the session.
  const meant = isSpoken(disconnect) || (!disconnect.said && reason === rules.abortedMeans);
  if (decision.action === "end" && (reopenable || meant)) {
    const { why } = decision;
    return become(state, { status: "ended", disconnect, why }, [...events, event("ended", { disconnect, why })]);
  }
  const known = told.includes(reason) ? told : [...told, reason];
  const mostMs = decision.action === "reconnect" ? decision.afterMs : 0;
  const outage = { ...fallen(before, disconnect, moment, mostMs), endings, row, told: known };
  if (decision.action !== "reconnect" || !reopenable) {
    const why = decision.action !== "reconnect" ? decision.why : `${reason}: this stream is not reopened`;
    const stopped = prober && reopenable ? [stream.id, ...state.queue] : [stream.id];
    const others = { ...state, queue: state.queue.filter((id) => !stopped.includes(id)) };
    // Others may still be waiting for their own attempt. Otherwise the outage is over, and remembered only so that
    // streams lost together are told once.
    const step =
      before && !prober
        ? remember(others, { told: outage.told, gaveUp: outage.gaveUp || reopenable }, events)
        : become(others, recovering({ ...outage, down: false, endings: 0, row: undefined }, now, rules, false), events);
    return stopping(step, stopped, { disconnect, why });
  }
  const waiting = withStream(enqueue(state, stream.id), {
    ...away(facts, now),
    reopenable,
    resumes,
    returning: true,
  });
  const lostEvent = event("streamLost", { stream, disconnect });
  return waits(
    { ...waiting, letInAt: undefined },
    weighed,
    { ...outage, previousMs: decision.afterMs },
    decision,
    rules,
    moment,
    [lostEvent, ...events],
  );
}

/** The stream waits: for an attempt that is scheduled now, or together with the others that wait already. */
function waits(
  state: State,
  { news, abandoned }: Weighed,
  outage: Outage,
  decision: Extract<Loss["decision"], { action: "reconnect" }>,
  rules: Rules,
  moment: Moment,
  events: readonly SessionEvent[],
): Step {
  const { phase } = state;
  const { told, disconnect } = outage;
  if (phase.status !== "paused") {
    const unspent = abandoned && phase.status === "waiting" ? { ...state, bucket: phase.refund } : state;
    if (news) return schedule(unspent, outage, decision, rules, moment, events);
    // The server's own word, or time, for one stream counts for all that wait, even if another was cut before it.
    const heeded = disconnect.said || dateOf(disconnect) > 0;
    if (phase.status === "waiting" && heeded && !phase.outage.disconnect.said) {
      const patient = { ...decision, afterMs: Math.max(decision.afterMs, phase.until - moment.now) };
      // The attempt takes its token anew, for the later time.
      return schedule({ ...state, bucket: phase.refund }, outage, patient, rules, moment, events);
    }
  }
  return remember(state, { told }, events);
}

function stopping(step: Step, streams: readonly number[], by: Decided): Step {
  return { ...step, effects: [...step.effects, { type: "stop", streams, by }] };
}

/** A server's spoken verdict on something that is no stream of ours ends the session, where the policy says so. */
export function sessionVerdict(state: State, { disconnect, decision }: InputOf<"verdict">): Step {
  if (decision.action !== "end" || state.phase.status === "ended") return stay(state);
  const { why } = decision;
  const events = [
    { type: disconnect.reason, payload: disconnect } as SessionEvent,
    event("ended", { disconnect, why }),
  ];
  return become(state, { status: "ended", disconnect, why }, events);
}
