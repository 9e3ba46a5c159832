import type { Disconnect } from "../disconnect.js";
import { event, type SessionEvent } from "../events.js";
import type { State, Step } from "../state.js";
import { become, floorOf } from "../transition.js";
import type { Snapshot } from "./snapshot.js";

/** For how long what was decided is held against a new page, in ms. */
export interface Holds {
  readonly coolDownMs: number;
  readonly rememberMs: number;
}

/** A wait that has been over for longer is of an outage that nobody was left to see the end of. */
const staleMs = 120_000;

/** What the tabs know, applied to the state of one session. `first`: its first stream comes. */
export function recall(state: State, known: Snapshot, now: number, first: boolean, holds: Holds): Step {
  const { phase } = state;
  const nothing = { state, events: [] };
  if (phase.status === "ended" || phase.status === "closed") return nothing;
  const { verdict, wait, openAt, bucket } = known;
  if (verdict && heldUntil(verdict, holds) > now) {
    const { disconnect } = verdict;
    const why = `${verdict.why} (told at ${new Date(verdict.at).toISOString()})`;
    return become(state, { status: "ended", disconnect, why }, [told(disconnect), event("ended", { disconnect, why })]);
  }
  if (phase.status !== "waiting") {
    const shared = bucket ? { ...state, bucket } : state;
    // A reload is no way around an outage.
    if (!first || phase.status !== "live" || !wait || wait.until + staleMs < now) return { state: shared, events: [] };
    const { disconnect } = wait.outage;
    const outage = { ...wait.outage, told: [disconnect.reason] };
    return become(shared, { ...wait, status: "waiting", outage }, [told(disconnect)]);
  }

  const { outage } = phase;
  const floor = floorOf(outage.disconnect); // what the server told this session holds for this session
  if (openAt !== undefined && openAt > outage.downAt && floor <= now) {
    return become(state, { status: "following", outage, openedAt: openAt }, []);
  }
  if (!wait || wait.until <= now) return nothing;
  const { attempts, counts, previousMs } = wait.outage;
  const until = Math.max(wait.until, floor);
  const further = attempts > outage.attempts || (attempts === outage.attempts && until < phase.until);
  if (!further || until === phase.until) return nothing;
  const { disconnect } = outage;
  const why = `${disconnect.reason}: together with another tab`;
  const reconnecting = event("reconnecting", { disconnect, attempt: attempts + 1, afterMs: until - now, why });
  const together = { ...outage, attempts, counts, previousMs };
  return become(
    bucket ? { ...state, bucket } : state,
    { status: "waiting", outage: together, until, refund: wait.refund },
    [reconnecting],
  );
}

function told(disconnect: Disconnect): SessionEvent {
  return { type: disconnect.reason, payload: disconnect } as SessionEvent;
}

function heldUntil({ disconnect, at }: NonNullable<Snapshot["verdict"]>, holds: Holds): number {
  if (disconnect.reason === "kicked") return at + holds.coolDownMs;
  if (disconnect.reason !== "banned") return 0;
  const longest = at + holds.rememberMs;
  return disconnect.until ? Math.min(disconnect.until.getTime(), longest) : longest;
}
