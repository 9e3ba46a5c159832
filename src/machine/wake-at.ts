import type { State } from "./state.js";

/** When the machine is to be woken, or `undefined` for never: the only alarm that a session has. */
export function wakeAt({ phase, streams, queue, prober, turnUntil }: State): number | undefined {
  switch (phase.status) {
    case "waiting":
      return queue.length > 0 ? (turnUntil ?? phase.until) : undefined;
    case "probing":
      return prober?.opened ? prober.opened.confirmedAt : prober?.presumedAt;
    case "recovering":
      return streams.length > 0 ? phase.healthyAt : undefined;
    default: // nothing changes by time alone
      return undefined;
  }
}
