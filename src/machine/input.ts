import type { Disconnect } from "../disconnect/disconnect.js";
import type { Decision } from "../policy/policy.js";
import type { Bucket } from "../policy/rate-limit.js";
import type { Pause } from "../ports/pause.js";
import type { SessionEvent } from "./events.js";
import type { Phase, StreamFacts } from "./state.js";

/** A stream was lost, or could not be opened. */
export interface Loss {
  readonly stream: number;
  readonly disconnect: Disconnect;
  /** When it was sent last, by the clock that is never set. */
  readonly sentAt: number;
  /** It can be opened again. The loss of one that cannot decides nothing for the others. */
  readonly reopenable: boolean;
  /** It will ask the server for what it missed. */
  readonly resumes: boolean;
  /** What the policy says. It is an input, because a policy may be a function of the app, which cannot be replayed. */
  readonly decision: Decision;
}

/** One kind of input. */
export type InputOf<T extends Input["type"]> = Extract<Input, { readonly type: T }>;

/** Everything that can happen to a session. Streams are named by the number of their label. */
export type Input =
  /** A stream wants to be opened. `pause`: why nothing may go out now. */
  | {
      readonly type: "joined";
      readonly stream: Pick<StreamFacts, "label" | "reopenable" | "resumes">;
      readonly pause: Pause | undefined;
    }
  /** A stream that was let go could not try yet, and something may have happened since. */
  | { readonly type: "asked again"; readonly stream: number }
  /** A stream has ended, however it ended. */
  | { readonly type: "left"; readonly stream: number }
  | ({ readonly type: "lost" } & Loss)
  /** It has headers. `first`: for the first time. */
  | { readonly type: "opened"; readonly stream: number; readonly first: boolean }
  /** It has the first message of an attempt. `reopenable`: still, after this message. */
  | { readonly type: "delivered"; readonly stream: number; readonly reopenable: boolean }
  /** Its attempt was answered with something that is no disconnect: the path is open. */
  | { readonly type: "answered"; readonly stream: number }
  | { readonly type: "refreshed" }
  /** Nobody is signed in any more. `disconnect`: what ends the session where no stream was refused. */
  | { readonly type: "refused"; readonly disconnect: Disconnect; readonly why: string }
  /** The refresh gave no answer. `decision`: what the policy of `network` says. */
  | { readonly type: "refresh failed"; readonly error: unknown; readonly decision: Decision }
  /** The credentials have ended, or will soon. */
  | { readonly type: "refresh due" }
  /** The device or the page cannot go on. */
  | { readonly type: "paused"; readonly why: Pause }
  | { readonly type: "resumed" }
  /** A server's verdict was heard elsewhere: on a unary call, or on the control stream. */
  | { readonly type: "verdict"; readonly disconnect: Disconnect; readonly decision: Decision }
  | { readonly type: "retry asked" }
  /** The tabs' turn to probe has come. */
  | { readonly type: "turn came" }
  /** What other tabs, or an earlier page, have found out. */
  | {
      readonly type: "adopted";
      readonly phase: Phase;
      readonly bucket: Bucket;
      readonly events: readonly SessionEvent[];
    }
  /** Over how long the server wants a return to be spread. */
  | { readonly type: "window"; readonly windowMs: number | undefined }
  | { readonly type: "restarted" }
  | { readonly type: "closed" }
  /** The time of `wakeAt` has come. */
  | { readonly type: "woken" };
