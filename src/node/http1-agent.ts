import { Agent } from "node:http";
import { Agent as SecureAgent } from "node:https";
import type { Socket } from "node:net";
import type { ConnectionState } from "../ports/connection-state.js";

/**
 * Node's servers close a connection that was not used for 5 s, and others later. Who reuses one at that very moment gets
 * ECONNRESET for a call that nobody has seen. So ours are closed first.
 */
const idleMs = 4_000;

/** The connections of a transport over HTTP/1.1: one for each call that is under way. */
export function createAgent(secure: boolean): Agent | SecureAgent {
  return new (secure ? SecureAgent : Agent)({ keepAlive: true, timeout: idleMs, scheduling: "lifo" });
}

/** Where an agent's connections stand, in the words of HTTP/2. */
export function stateOf({ sockets, freeSockets }: Agent): ConnectionState {
  const busy = all(sockets);
  if (busy.some(({ connecting }) => !connecting)) return "open";
  if (busy.length > 0) return "connecting";
  return all(freeSockets).length > 0 ? "idle" : "closed";
}

/** How many connections an agent has. */
export function countOf({ sockets, freeSockets }: Agent): number {
  return all(sockets).length + all(freeSockets).length;
}

function all(sockets: NodeJS.ReadOnlyDict<Socket[]>): readonly Socket[] {
  return Object.values(sockets).flatMap((some = []) => some);
}
