import { setTimeout as sleep } from "node:timers/promises";
import { identityOf, streamOf } from "farewell/server";
import { rooms } from "../rooms.mjs";
import { beginning, latest, textOf, untilNext } from "../ticks.mjs";

/** The chat: rooms that count the time, in both directions and one, and a word at the door. */
export function createChat(bouncer, startedAt) {
  const bornAt = beginning();
  const life = `life-${process.pid}`;
  /** The handlers that run: what is really inside. */
  const running = new Map();

  async function* subscribe({ room: address, afterId }, { signal, values }) {
    const [name, ofLife] = address.split("@");
    const { intervalMs, bytes, anew } = rooms[name];
    const [run, since] = anew ? [life, bornAt] : ["one", startedAt];
    const payload = new Uint8Array(bytes);
    const goesOn = afterId > 0 && (!anew || ofLife === life);
    // A newcomer begins with the present; a new run, for who has had another, with its beginning.
    let id = goesOn ? afterId + 1 : anew && ofLife ? 1 : latest(since, intervalMs);
    const own = streamOf(values)?.id;
    running.set(own, identityOf(values)?.user);
    try {
      while (!signal.aborted) {
        for (const last = latest(since, intervalMs); id <= last && !signal.aborted; id++) {
          yield { id, text: textOf(run, name, id), payload };
        }
        await sleep(untilNext(since, intervalMs), undefined, { signal }).catch(() => {});
      }
    } finally {
      running.delete(own);
    }
  }

  async function* talk(requests, context) {
    const input = requests[Symbol.asyncIterator]();
    const first = await input.next();
    if (first.done) return;
    const listening = (async () => {
      while (!(await input.next()).done);
    })();
    listening.catch(() => {}); // the client is gone
    yield* subscribe({ room: first.value.room, afterId: first.value.afterId }, context);
  }

  async function upload(requests) {
    let count = 0;
    for await (const _ of requests) count++;
    return { count };
  }

  /** `login <user>` answers with one more than the user's epoch; `renew <user> <epoch>`: 1 if that still counts. */
  async function say({ text }) {
    const [what, user, epoch] = text.split(" ");
    if (what === "login") return { id: (await bouncer.epoch(user)) + 1 };
    if (what === "renew") return { id: Number(epoch) >= (await bouncer.epoch(user)) ? 1 : 2 };
    return { id: 1 };
  }

  return { running, implementation: { subscribe, talk, upload, say } };
}
