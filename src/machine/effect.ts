import type { Disconnect } from "../disconnect/disconnect.js";
import type { SessionEvent } from "./events.js";
import type { Phase, State } from "./state.js";

/** What is to be done. Whoever does it looks first whether it is still wanted. */
export type Effect =
  /** Its attempt may go out. */
  | { readonly type: "let go"; readonly stream: number }
  /** Its attempt is to be given up, without an end. */
  | { readonly type: "hold"; readonly stream: number }
  /** They end: by a decision, or by the session's close. */
  | { readonly type: "stop"; readonly streams: readonly number[]; readonly by: Decided | undefined }
  | { readonly type: "start refresh" }
  | { readonly type: "abort refresh" }
  /** Of several tabs, one probes. */
  | { readonly type: "take turn" }
  | { readonly type: "leave turn" };

/** What ended, and why. */
export interface Decided {
  readonly disconnect: Disconnect;
  readonly why: string;
}

/** The answer to an input. The effects come after the events have been told. */
export interface Step {
  readonly state: State;
  readonly events: readonly SessionEvent[];
  readonly effects: readonly Effect[];
}

/** Nothing to tell or to do. */
export function stay(state: State): Step {
  return { state, events: [], effects: [] };
}

/** Comes to a phase, and tells. */
export function become(state: State, phase: Phase, events: readonly SessionEvent[] = []): Step {
  return { state: { ...state, phase }, events, effects: [] };
}
