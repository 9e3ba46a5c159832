import { useCallback, useSyncExternalStore } from "react";
import { expected } from "#check";
import type { SessionState } from "../machine/state.js";
import type { Session } from "../session/types.js";

/**
 * Where the session stands. Renders again with each change of `session.state`. On the server, and while the page
 * hydrates, nothing is wrong: `idle`.
 *
 * @throws TypeError if it is no session
 * @example
 * const state = useSession(session);
 * if (state.status === "waiting") return <p>Back at {new Date(state.until).toLocaleTimeString()}</p>;
 */
export function useSession(session: Session): SessionState {
  return useSessionState(session, (state) => state);
}

/** What `select` sees in the state. Renders again only when that is another value. */
export function useSessionState<T>(session: Session, select: (state: SessionState) => T): T {
  expected(typeof session?.on === "function", "session", session, "a session");
  const subscribe = useCallback((changed: () => void) => session.on("state", changed), [session]);
  return useSyncExternalStore(
    subscribe,
    () => select(session.state),
    () => select(idle),
  );
}

const idle: SessionState = { status: "idle" };
