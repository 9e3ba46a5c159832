import { isHealthy } from "./outage.js";
import { isAway } from "./queue.js";
import { healthy, type SessionState, type State } from "./state.js";

const idle: SessionState = { status: "idle" };
const connecting: SessionState = { status: "connecting" };

/** Where the session stands, for who looks at it at `now`. The same object for as long as that is the same. */
export function visible(state: State, now: number): SessionState {
  const { phase, streams, connected } = state;
  switch (phase.status) {
    case "paused":
    case "ended":
    case "closed":
      return phase;
    default:
      if (streams.length === 0) return idle;
      if (phase.status === "recovering" && !isHealthy(phase, now)) return phase;
      if (isOutage(phase.status) && isAway(state)) return phase;
      return connected ? healthy : connecting;
  }
}

function isOutage(status: string): boolean {
  return status === "waiting" || status === "probing" || status === "refreshing";
}
