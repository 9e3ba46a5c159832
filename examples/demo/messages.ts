import { setTimeout as sleep } from "node:timers/promises";
import type { Visit } from "./scene.js";

/** `count` messages after the last one that the client has, a little apart; fewer if it leaves. */
export async function* messages(
  { afterId, signal }: Visit,
  count: number,
): AsyncGenerator<{ readonly id: number; readonly text: string }> {
  for (let id = afterId + 1; id <= afterId + count && !signal.aborted; id++) {
    yield { id, text: `message ${id}` };
    await sleep(80, undefined, { signal }).catch(() => {}); // the loop looks at the signal
  }
}
