import { setTimeout as sleep } from "node:timers/promises";
import { styleText } from "node:util";

/** What happens, as it happens, with seconds since the scene began. */
export interface Timeline {
  begin(number: number, title: string, story: string): void;
  line(actor: string, text: string, at?: number): void;
  /** Resolves when every line is out. */
  settle(): Promise<void>;
}

/** Two processes tell what they did; lines wait this long, so that they can be put in the order in which it happened. */
const holdMs = 40;

const width = 100;

export function createTimeline(): Timeline {
  let held: { readonly at: number; readonly actor: string; readonly text: string }[] = [];
  let began = Date.now();

  /** Of two lines of one millisecond the server's is the cause. */
  function print(upTo: number): void {
    held.sort((a, b) => a.at - b.at || Number(b.actor === "server") - Number(a.actor === "server"));
    const due = held.filter(({ at }) => at <= upTo);
    held = held.filter(({ at }) => at > upTo);
    for (const { at, actor, text } of due) {
      const time = styleText("dim", (Math.max(0, at - began) / 1000).toFixed(3).padStart(8));
      const who = styleText(actor === "server" ? "blue" : "green", actor.padEnd(7));
      console.log(`${time}  ${who} ${text}`);
    }
  }

  return {
    begin(number, title, story) {
      began = Date.now();
      console.log(`\n${styleText("bold", `${String(number).padStart(3)}  ${title}`)}`);
      for (const row of rows(story, width - 5)) console.log(`     ${styleText("dim", row)}`);
      console.log();
    },
    line(actor, text, at = Date.now()) {
      held.push({ at, actor, text });
      setTimeout(() => print(Date.now() - holdMs), holdMs + 1);
    },
    async settle() {
      await sleep(holdMs);
      print(Number.POSITIVE_INFINITY);
    },
  };
}

/** Breaks a text into rows of at most `length` characters. */
function rows(text: string, length: number): readonly string[] {
  const broken: string[] = [];
  for (const word of text.split(" ")) {
    const row = broken.at(-1);
    if (row !== undefined && row.length + 1 + word.length <= length) broken[broken.length - 1] = `${row} ${word}`;
    else broken.push(word);
  }
  return broken;
}
