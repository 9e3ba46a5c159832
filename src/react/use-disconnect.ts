import type { Disconnect } from "../disconnect/disconnect.js";
import type { SessionState } from "../machine/state.js";
import type { Session } from "../session/types.js";
import { useSessionState } from "./use-session.js";

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
  return useSessionState(session, inEffect);
}

function inEffect(state: SessionState): Disconnect | undefined {
  if (state.status === "ended") return state.disconnect;
  return "outage" in state && state.outage.down ? state.outage.disconnect : undefined;
}
