import { setTimeout as sleep } from "node:timers/promises";
import { disconnectOf } from "farewell";
import { note, violation } from "../child.mjs";
import { rooms } from "../rooms.mjs";
import { runOf, textOf } from "../ticks.mjs";

/** Follows one stream to its end, and looks at each message: none is lost, doubled, out of order or of another room. */
export function follow(name, who, messages) {
  const room = rooms[name];
  const seen = { room: name, open: true, count: 0, resets: 0, end: undefined, at: performance.now(), ...nothing };
  seen.survey = () => {
    const { open, last, count, end, at } = seen;
    return { room: name, open, last, count, end, silentMs: Math.round(performance.now() - at) };
  };
  seen.reset = () => void seen.resets++;
  seen.over = (async () => {
    try {
      for await (const message of messages) {
        look(message);
        if (room.readsEveryMs) await sleep(room.readsEveryMs);
      }
      seen.end = "complete";
    } catch (error) {
      seen.end = disconnectOf(error)?.reason ?? `${error.name}: ${error.message}`;
    } finally {
      seen.open = false;
    }
  })();

  function look({ id, text, payload }) {
    const run = runOf(text);
    if (text !== textOf(run, name, id) || payload.length !== room.bytes)
      violation(`${who} ${name}: got ${text} under ${id}`);
    if (seen.run !== undefined && run !== seen.run) {
      if (!room.anew) violation(`${who} ${name}: counts anew, ${seen.run}#${seen.last} then ${run}#${id}`);
      else if (seen.resets === 0) violation(`${who} ${name}: a new run, ${text}, of which nobody was told`);
      else if (id !== 1) violation(`${who} ${name}: the new run begins with ${text}`);
      seen.resets = 0;
    } else if (seen.last !== undefined && id !== seen.last + 1) {
      violation(`${who} ${name}: ${id} after ${seen.last}, ${seen.count} messages in`);
    }
    if (seen.run === undefined) note(`${who} ${name}: begins with ${text}`);
    Object.assign(seen, { run, last: id, count: seen.count + 1, at: performance.now() });
  }

  return seen;
}

const nothing = { run: undefined, last: undefined };
