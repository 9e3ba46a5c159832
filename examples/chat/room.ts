import { EventEmitter, once } from "node:events";

interface Said {
  readonly id: number;
  readonly text: string;
}

/** A room in memory: what was said last, and who waits for more. */
export interface Room {
  /** Answers with the id that the text has in the room. */
  say(text: string): number;
  /** What was said after a message, and then what will be said, until the signal is aborted. */
  follow(afterId: number, signal: AbortSignal): AsyncGenerator<Said>;
}

const remembered = 1_000;

export function createRoom(): Room {
  const said: Said[] = [];
  const news = new EventEmitter().setMaxListeners(0); // as many as there are people in the room
  let lastId = 0;

  return {
    say(text) {
      said.push({ id: ++lastId, text });
      if (said.length > remembered) said.shift();
      news.emit("said");
      return lastId;
    },
    async *follow(afterId, signal) {
      let seen = afterId > lastId ? 0 : afterId; // a greater one is from before this server was started
      while (!signal.aborted) {
        const next = said.find(({ id }) => id > seen);
        if (next === undefined) {
          await once(news, "said", { signal }).catch(() => {}); // the loop looks at the signal
        } else {
          seen = next.id;
          yield next;
        }
      }
    },
  };
}
