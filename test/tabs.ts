import { vi } from "vitest";

/** A browser in as far as tabs share it: storage, channels and locks. In Node, the tabs are objects of one process. */
export interface FakeBrowser {
  readonly stored: Map<string, string>;
  /** Who holds and who waits for a lock. */
  readonly locks: readonly string[];
}

/** Stubs what `tabMemory` uses, until `vi.unstubAllGlobals()`. */
export function stubBrowser(): FakeBrowser {
  const stored = new Map<string, string>();
  const locks: { readonly name: string; readonly grant: () => void }[] = [];
  const page = new EventTarget();
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  });
  const request = (name: string, { signal }: { signal: AbortSignal }, hold: () => Promise<void>) =>
    new Promise<void>((resolve, reject) => {
      const release = () => {
        const held = locks.indexOf(entry) === 0;
        locks.splice(locks.indexOf(entry), 1);
        if (held) locks[0]?.grant();
      };
      const cancel = () => {
        release();
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener("abort", cancel);
        hold().then(() => {
          release();
          resolve();
        }, reject);
      };
      const entry = { name, grant };
      if (locks.push(entry) === 1) grant();
      else signal.addEventListener("abort", cancel, { once: true });
    });
  vi.stubGlobal("navigator", { locks: { request }, onLine: true });
  return {
    stored,
    get locks() {
      return locks.map(({ name }) => name);
    },
  };
}
