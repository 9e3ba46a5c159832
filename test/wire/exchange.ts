import type { Socket } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Step } from "./steps.js";

/** One request, waiting for what the script says. */
export interface Exchange {
  readonly socket: Socket;
  /** Aborted once the client has cancelled the call or the connection is gone. */
  readonly gone: AbortSignal;
  readonly perform: (step: Exclude<Step, { do: "pause" }>) => void;
}

/** What a connection, spoken to in either version of HTTP, can tell. */
export interface Connection {
  /** How many requests neither side has ended. */
  readonly open: () => number;
}

/** Performs the steps; those between two pauses reach the network in one write. */
export async function play(steps: readonly Step[], exchange: Exchange): Promise<void> {
  const { socket, gone } = exchange;
  socket.cork();
  for (const step of steps) {
    if (gone.aborted || socket.destroyed) break;
    if (step.do === "pause") {
      socket.uncork();
      await pause(step.ms, gone);
      socket.cork();
    } else {
      exchange.perform(step);
    }
  }
  socket.uncork();
}

/**
 * Lasts for at least as many turns of the event loop as ms: the client is in the same process, and after a moment without
 * the processor it needs turns, and not time, to read what was sent before.
 */
async function pause(ms: number, gone: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: gone }).catch(() => {}); // the next round looks at `gone`
  for (let turns = 0; turns < ms && !gone.aborted; turns++) await turn();
}

/** The two steps that need no HTTP. */
export function performOnSocket(socket: Socket, how: "fin" | "tcp-rst"): void {
  if (how === "fin") {
    socket.end();
    return;
  }
  while (socket.writableCorked > 0) socket.uncork(); // what was sent before must leave before
  socket.resetAndDestroy();
}
