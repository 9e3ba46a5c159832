import type { Disconnect } from "../disconnect/disconnect.js";
import { event, type SessionEvent } from "../machine/events.js";
import type { State, Step } from "../machine/state.js";
import { become, floorOf } from "../machine/transition.js";
import type { Known, Verdict } from "./known.js";

/** For how long what was decided is held against a new page, in ms. */
export interface Holds {
  readonly coolDownMs: number;
  readonly rememberMs: number;
}

/** A wait that has been over for longer is of an outage that nobody was left to see the end of. */
const staleMs = 120_000;

/** That another tab got through so long ago says nothing about now. */
const freshMs = 10_000;

/** What the tabs know, applied to the state of one session. `first`: its first stream comes. */
export function recall(state: State, { verdict, plan }: Known, now: number, first: boolean, holds: Holds): Step {
  const { phase } = state;
  const nothing: Step = { state, events: [] };
  if (phase.status === "ended" || phase.status === "closed") return nothing;
  if (verdict?.disconnect && verdict.at <= now && now < heldUntil(verdict.disconnect, verdict, holds)) {
    const { disconnect } = verdict;
    const why = `${verdict.why} (remembered)`;
    return become(state, { status: "ended", disconnect, why }, [told(disconnect), event("ended", { disconnect, why })]);
  }
  if (!plan || phase.status === "paused") return nothing;
  const { wait, openAt, bucket } = plan;
  if (phase.status !== "waiting") {
    const shared = { ...state, bucket };
    if (!first || phase.status !== "live" || !wait || wait.until + staleMs < now) return { ...nothing, state: shared };
    // A reload is no way around an outage. Where an attempt was on its way, this is the next one, and takes its token.
    const rest = wait.until > now ? wait : { until: now + staleMs, refund: bucket };
    const { disconnect } = wait.outage;
    const outage = { ...wait.outage, told: [disconnect.reason], down: true, gaveUp: false };
    return become(shared, { ...rest, status: "waiting", outage }, [told(disconnect)]);
  }

  const { outage } = phase;
  const floor = floorOf(outage.disconnect); // what the server told this session holds for this session
  if (openAt !== undefined && openAt > outage.downAt && openAt + freshMs > now && floor <= now) {
    return become(state, { status: "following", outage, openedAt: now, passed: true }, []);
  }
  if (!wait || wait.until <= now) return nothing;
  const { attempts, counts, previousMs } = wait.outage;
  const until = Math.max(wait.until, floor);
  const further = attempts > outage.attempts || (attempts === outage.attempts && until < phase.until);
  if (!further || until === phase.until) return nothing;
  const { disconnect } = outage;
  const why = `${disconnect.reason}: together with another tab`;
  const together = { ...outage, attempts, counts, previousMs };
  return become({ ...state, bucket }, { status: "waiting", outage: together, until, refund: wait.refund }, [
    event("reconnecting", { disconnect, attempt: attempts + 1, afterMs: until - now, why }),
  ]);
}

function told(disconnect: Disconnect): SessionEvent {
  return { type: disconnect.reason, payload: disconnect } as SessionEvent;
}

/** Whether a verdict holds for new pages and other tabs. The winner of a superseded one may be another tab. */
export function isLasting({ said, reason }: Disconnect): boolean {
  return said && (reason === "kicked" || reason === "banned");
}

function heldUntil(disconnect: Disconnect, { at }: Verdict, { coolDownMs, rememberMs }: Holds): number {
  if (disconnect.reason !== "banned") return at + coolDownMs;
  const longest = at + rememberMs;
  return Math.min(Number(disconnect.until ?? longest), longest);
}
