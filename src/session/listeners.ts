import { EventEmitter } from "eventemitter3";
import { checkListener } from "#check";
import type { SessionEvent, SessionEvents } from "../machine/events.js";
import { guarded } from "../ports/guarded.js";
import { callHook, followersOf } from "../stream/hooks.js";

export type Listener<T extends keyof SessionEvents> = (payload: SessionEvents[T]) => unknown;

/** Who listens to a session. */
export interface Listeners {
  on<T extends keyof SessionEvents>(type: T, listener: Listener<T>): () => void;
  tell(event: SessionEvent): void;
}

/** A listener that throws, or that is async and rejects, breaks nothing: `reportError` gets it. */
export function createListeners(reportError: (error: unknown) => void): Listeners {
  const emitter = new EventEmitter();
  return {
    on(type, listener) {
      checkListener(type, listener);
      const guard = (payload: SessionEvents[typeof type]) => guarded(() => listener(payload), reportError);
      emitter.on(type, guard);
      return () => void emitter.off(type, guard);
    },
    tell(event) {
      emitter.emit(event.type, event.payload);
      for (const hooks of followersOf(event)) guarded(() => callHook(hooks, event), reportError);
    },
  };
}
