import type { Clock } from "../../ports/clock.js";
import { type AdmittedStream, clientOf, type Ending } from "../inside/admitted-stream.js";
import type { Ended } from "../verdict/force.js";

/** The streams that one client has: those of one session, or one by itself. */
export type Client = readonly AdmittedStream[];

export function clientsOf(streams: readonly AdmittedStream[]): readonly Client[] {
  const clients = new Map<string, AdmittedStream[]>();
  for (const admitted of streams) {
    const key = clientOf(admitted);
    const client = clients.get(key);
    if (client) client.push(admitted);
    else clients.set(key, [admitted]);
  }
  return [...clients.values()];
}

/**
 * Begins with each client at its time, and waits for all. Where `signal` is aborted it begins with no more of them.
 *
 * @param times by the monotonic clock, one for each client
 */
export async function inTurn(
  clients: readonly Client[],
  times: readonly number[],
  clock: Clock,
  signal: AbortSignal | undefined,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const working: Promise<void>[] = [];
  for (const [index, client] of clients.entries()) {
    const waitMs = (times[index] ?? 0) - clock.monotonic();
    if (waitMs >= 1) await clock.sleep(waitMs, signal).catch(() => {}); // looked at in the next line
    if (signal?.aborted) break;
    const worked = work(client);
    worked.catch(() => {}); // awaited below
    working.push(worked);
  }
  await Promise.all(working);
}

/** Ends what a client still has inside, and lets its connection take no more calls: it would come back here over it. */
export async function sendAway(
  client: Client,
  ended: (admitted: AdmittedStream, ending: Ending) => void,
  evict: (inside: Client) => Promise<Ended>,
): Promise<void> {
  const inside: AdmittedStream[] = [];
  for (const admitted of client) {
    if (admitted.life.aborted) ended(admitted, "left");
    else inside.push(admitted);
  }
  if (inside.length === 0) return;
  for (const admitted of inside) admitted.retire(); // before it is told
  for (const [admitted, ending] of await evict(inside)) ended(admitted, ending);
}
