import type { Clock } from "../session/extension.js";
import type { Guard } from "./guard.js";
import { type Known, parts, toText } from "./known.js";
import { fromText } from "./stored.js";

/** What is known goes on from session to session, also where a browser stores nothing. */
export interface Memory {
  readonly name: string;
  known: Known;
}

/** Where the tabs of an account keep what they know: `localStorage`, and a `BroadcastChannel` for who is there now. */
export interface Shelf {
  /** Takes in what others have written. */
  read(): void;
  write(news: Known): void;
  /** Calls `changed` when another tab has written something, until the removal that it answers with is called. */
  watch(changed: () => void): () => void;
}

export function createShelf(memory: Memory, clock: Clock, guarded: Guard): Shelf {
  const { name } = memory;
  let channel: BroadcastChannel | undefined;

  /** What comes from later than now was written before the wall clock was set back: it is the oldest. Tabs round time apart. */
  const order = (at = 0) => (at > clock.now() + 1_000 ? 0 : at);

  /** The newest counts: what others write reaches the storage of this tab a little later than their message. */
  function learn(part: keyof Known, text: unknown): void {
    const read = fromText(part, text);
    if (read && order(read.at) >= order(memory.known[part]?.at)) memory.known = { ...memory.known, [part]: read };
  }

  return {
    read() {
      for (const part of parts)
        learn(
          part,
          guarded(() => globalThis.localStorage?.getItem(name + part)),
        );
    },
    write(news) {
      memory.known = { ...memory.known, ...news };
      for (const [part, value] of Object.entries(news)) {
        guarded(() => {
          const text = toText(value);
          guarded(() => globalThis.localStorage?.setItem(name + part, text));
          guarded(() => channel?.postMessage([part, text]));
        });
      }
    },
    watch(changed) {
      const life = new AbortController();
      const open = () => {
        channel = guarded(() => globalThis.BroadcastChannel && new BroadcastChannel(name));
        channel?.addEventListener("message", ({ data }) => {
          for (const part of parts) if (data?.[0] === part) learn(part, data[1]);
          changed();
        });
      };
      const close = () => {
        channel?.close();
        channel = undefined;
      };
      const on = (type: string, listener: (event: Event & { key?: string | null; persisted?: boolean }) => void) =>
        globalThis.addEventListener?.(type, listener, { signal: life.signal });
      on("storage", ({ key }) => {
        if (key?.startsWith(name)) changed();
      });
      on("pagehide", close); // a message would throw the page out of the back-forward cache
      on("pageshow", ({ persisted }) => {
        if (!persisted) return;
        open();
        changed();
      });
      open();
      return () => {
        life.abort();
        close();
      };
    },
  };
}
