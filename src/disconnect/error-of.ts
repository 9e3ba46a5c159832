import { ConnectError } from "@connectrpc/connect";
import { classify } from "./classify.js";
import type { Disconnect } from "./disconnect.js";
import { rowOf } from "./reasons.js";

const named = new WeakMap<object, Disconnect | undefined>();
const made = new WeakMap<Disconnect, ConnectError>();

/**
 * The error with which a stream ends for a Disconnect: the very one that Connect threw. Where nothing was thrown (a
 * clean end, a watchdog) it is a ConnectError with the code that PROTOCOL.md gives the reason.
 */
export function errorOf(disconnect: Disconnect): unknown {
  const { cause, reason, message } = disconnect;
  const error = cause ?? made.get(disconnect) ?? new ConnectError(message, rowOf(reason)?.status);
  if (cause === undefined) made.set(disconnect, error as ConnectError);
  named.set(error, disconnect);
  return error;
}

/** An error that a session takes for no disconnect, having seen more than the error. */
export function undisturbed(error: unknown): unknown {
  if (error instanceof Error) named.set(error, undefined);
  return error;
}

/**
 * The typed view of an error that a stream or a call threw, or `undefined` where it is not a disconnect. For an error
 * that came out of a session it is the session's own answer; any other error is classified by itself.
 *
 * @example
 * try {
 *   for await (const message of chat.subscribe({ room: "lobby" })) render(message);
 * } catch (error) {
 *   if (disconnectOf(error)?.reason === "banned") showBan();
 *   else throw error;
 * }
 */
export function disconnectOf(error: unknown): Disconnect | undefined {
  return error instanceof Error && named.has(error) ? named.get(error) : classify({ error });
}
