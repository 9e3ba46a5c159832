import type { Disconnect } from "../disconnect/disconnect.js";
import type { Phase } from "../machine/state.js";
import type { Session } from "../session/session.js";
import { usePhase } from "./use-session.js";

/**
 * The Disconnect that is in effect now: of a verdict until `restart()`, or of an outage until the path is open again.
 * `undefined` where nothing is wrong, and on the server. Renders again only when it is another one.
 *
 * @throws TypeError if it is no session
 * @example
 * const disconnect = useDisconnect(session);
 * if (disconnect?.reason === "banned") return <p>Banned until {disconnect.until?.toLocaleString() ?? "further notice"}</p>;
 */
export function useDisconnect(session: Session): Disconnect | undefined {
  return usePhase(session, inEffect);
}

function inEffect(phase: Phase): Disconnect | undefined {
  if (phase.status === "ended") return phase.disconnect;
  return "outage" in phase && phase.outage.down ? phase.outage.disconnect : undefined;
}
