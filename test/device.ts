import type { Extension, Pause } from "../src/index.js";

/** A device and a page in the test's hands, as an extension of a session. */
export interface FakeDevice {
  readonly extension: Extension;
  /** How many sessions watch it. */
  readonly watchers: number;
  become(pause: Pause | undefined): void;
}

export function createFakeDevice(): FakeDevice {
  const watchers = new Set<() => void>();
  let pause: Pause | undefined;
  return {
    extension: ({ look }) => ({
      pause: () => pause,
      watch() {
        watchers.add(look);
        return () => watchers.delete(look);
      },
    }),
    get watchers() {
      return watchers.size;
    },
    become(next) {
      pause = next;
      for (const look of [...watchers]) look();
    },
  };
}
