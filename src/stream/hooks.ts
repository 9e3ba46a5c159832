import type { SessionEvent, SessionEvents } from "../machine/events.js";
import type { StreamLabel } from "../machine/stream-label.js";

/** What a call wants to hear of its own stream alone. What these throw, or reject with, goes to `reportError`. */
export interface StreamHooks {
  /** It was lost and will be reopened: what the event `streamLost` tells. */
  readonly onLost?: (lost: SessionEvents["streamLost"]) => unknown;
  /** It is open again: what the event `streamReopened` tells. */
  readonly onReopened?: (reopened: SessionEvents["streamReopened"]) => unknown;
  /** Messages are missing before the one that comes next: what the event `streamGap` tells. */
  readonly onGap?: (gap: SessionEvents["streamGap"]) => unknown;
}

/** Of what a client's method has returned, and of its label: the label, and who follows the stream. */
const ties = new WeakMap<object, { readonly label: StreamLabel; readonly followers: StreamHooks[] }>();

/** From now on `messages` are known by a label, and these hooks are called. */
export function tie(messages: AsyncIterable<unknown>, label: StreamLabel, hooks: StreamHooks): void {
  const known = { label, followers: [hooks] };
  ties.set(messages, known).set(label, known);
}

/**
 * The label of the stream that a client's method has returned: the very object that events have as `stream`. `undefined`
 * for anything else, and for a call that was refused before it was a stream.
 *
 * @example
 * const messages = chat.subscribe({ room: "lobby" });
 * session.on("streamGap", ({ stream }) => stream === streamOf(messages) && refetch());
 */
export function streamOf(messages: AsyncIterable<unknown>): StreamLabel | undefined {
  return ties.get(messages)?.label;
}

/** Calls these hooks, too, for the stream of `messages`. */
export function follow(messages: AsyncIterable<unknown>, hooks: StreamHooks): void {
  ties.get(messages)?.followers.push(hooks);
}

/** Who follows the stream that an event is about. */
export function followersOf({ payload }: SessionEvent): readonly StreamHooks[] {
  return ("stream" in payload && ties.get(payload.stream)?.followers) || [];
}

/** The hook that means an event, called with what it tells. */
export function callHook(hooks: StreamHooks, { type, payload }: SessionEvent): unknown {
  const hook = `on${type.slice("stream".length)}`;
  return (hooks as { readonly [name: string]: ((payload: unknown) => unknown) | undefined })[hook]?.(payload);
}
