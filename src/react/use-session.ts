import { useCallback, useSyncExternalStore } from "react";
import { invalid } from "../check/invalid.js";
import type { Phase } from "../machine/state.js";
import type { Session } from "../session/session.js";

/**
 * Where the session stands. Renders again with each change of `session.phase`. On the server, and while the page
 * hydrates, nothing is wrong: `live`.
 *
 * @throws TypeError if it is no session
 * @example
 * const phase = useSession(session);
 * if (phase.status === "waiting") return <p>Back at {new Date(phase.until).toLocaleTimeString()}</p>;
 */
export function useSession(session: Session): Phase {
  return usePhase(session, (phase) => phase);
}

/** What `select` sees in the phase. Renders again only when that is another value. */
export function usePhase<T>(session: Session, select: (phase: Phase) => T): T {
  if (typeof session?.on !== "function") throw invalid("session", session, "a session");
  const subscribe = useCallback((changed: () => void) => session.on("phase", changed), [session]);
  return useSyncExternalStore(
    subscribe,
    () => select(session.phase),
    () => select(live),
  );
}

const live: Phase = { status: "live" };
