import { EventEmitter } from "eventemitter3";
import { checkListener } from "#check";
import type { SessionEvent, SessionEvents } from "../machine/events.js";

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
      const guarded = async (payload: SessionEvents[typeof type]) => {
        try {
          await listener(payload);
        } catch (error) {
          reportError(error);
        }
      };
      emitter.on(type, guarded);
      return () => void emitter.off(type, guarded);
    },
    tell: ({ type, payload }) => void emitter.emit(type, payload),
  };
}
