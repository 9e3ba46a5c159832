import { setMaxListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type PageOptions, pageEnvironment } from "../src/browser/index.js";
import type { Pause } from "../src/index.js";
import type { Attached, SessionPort } from "../src/session/extension.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";

/** A page in the test's hands; test/browser has the same in a real one. */
class FakePage extends EventTarget {
  readonly document = { visibilityState: "visible", prerendering: false };
  readonly navigator = { onLine: true };
  readonly listeners = new Map<string, number>();

  constructor() {
    super();
    vi.stubGlobal("document", this.document);
    vi.stubGlobal("navigator", this.navigator);
    vi.stubGlobal("addEventListener", (type: string, listener: () => void, options: AddEventListenerOptions) => {
      const count = (by: number) => this.listeners.set(type, (this.listeners.get(type) ?? 0) + by);
      count(1);
      if (!options.signal) throw new Error(`${type} would be listened to for ever`);
      setMaxListeners(0, options.signal);
      options.signal.addEventListener("abort", () => count(-1));
      this.addEventListener(type, listener, options);
    });
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, count) => sum + count, 0);
  }

  happen(type: string): void {
    this.dispatchEvent(new Event(type));
  }

  see(visibilityState: "visible" | "hidden"): void {
    this.document.visibilityState = visibilityState;
    this.happen("visibilitychange");
  }
}

let clock: FakeClock;
let page: FakePage;

beforeEach(() => {
  clock = createFakeClock();
  page = new FakePage();
});

afterEach(() => vi.unstubAllGlobals());

function attach(options: PageOptions, look: () => void): Attached {
  return pageEnvironment(options)({ clock, look } as unknown as SessionPort);
}

/** What a session would see of the page, change by change. */
function watch(options: PageOptions = {}) {
  const seen: (Pause | undefined)[] = [];
  const attached = attach(options, () => {
    const pause = attached?.pause?.();
    if (seen.at(-1) !== pause || seen.length === 0) seen.push(pause);
  });
  const stop = attached.watch?.() ?? (() => {});
  return { attached, seen, stop };
}

test("offline and online are told as they come", () => {
  const { seen, stop } = watch();
  page.navigator.onLine = false;
  page.happen("offline");
  page.navigator.onLine = true;
  page.happen("online");
  expect(seen).toEqual(["offline", undefined]);
  stop();
});

test("a page that was offline before it was watched says so", () => {
  page.navigator.onLine = false;
  expect(attach({}, () => {}).pause?.()).toBe("offline");
});

test.each([
  ["pagehide", "pageshow"],
  ["freeze", "resume"],
])("%s freezes, %s thaws, and the time between is no sleep", async (away, back) => {
  const { seen, stop } = watch();
  page.happen(away);
  expect(seen).toEqual(["frozen"]);
  page.happen(back);
  expect(seen).toEqual(["frozen", undefined]);
  stop();
});

describe("a hidden page", () => {
  test("never pauses by default", async () => {
    const { seen, stop } = watch();
    page.see("hidden");
    await clock.advance(3_600_000);
    expect(seen).toEqual([]);
    stop();
  });

  test("pauses after its time, not before, and goes on when it is seen", async () => {
    const { seen, stop } = watch({ hiddenAfterMs: 60_000 });
    page.see("hidden");
    await clock.advance(59_999);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(["hidden"]);
    page.see("visible");
    expect(seen).toEqual(["hidden", undefined]);
    stop();
  });

  test("that is seen again in time does not pause", async () => {
    const { seen, stop } = watch({ hiddenAfterMs: 60_000 });
    page.see("hidden");
    await clock.advance(30_000);
    page.see("visible");
    await clock.advance(60_000);
    expect(seen.filter((pause) => pause !== undefined)).toEqual([]);
    stop();
  });

  test("is no news while it is offline", () => {
    const { attached, stop } = watch({ hiddenAfterMs: 0 });
    page.navigator.onLine = false;
    page.see("hidden");
    expect(attached.pause?.()).toBe("offline");
    stop();
  });
});

test("a page that is hidden when its first stream comes is given its time, too", async () => {
  page.document.visibilityState = "hidden";
  const { seen, stop } = watch({ hiddenAfterMs: 60_000 });
  await clock.advance(59_999);
  expect(seen.filter((pause) => pause !== undefined)).toEqual([]);
  await clock.advance(1);
  expect(seen.at(-1)).toBe("hidden");
  stop();
});

test("a worker has no document, and goes offline and online all the same", () => {
  vi.stubGlobal("document", undefined);
  const { seen, stop } = watch({ hiddenAfterMs: 60_000 });
  page.navigator.onLine = false;
  page.happen("offline");
  page.navigator.onLine = true;
  page.happen("online");
  expect(seen).toEqual(["offline", undefined]);
  stop();
});

test("a page that is prepared before anybody asked for it waits until it is shown", () => {
  page.document.prerendering = true;
  const { attached, seen, stop } = watch();
  expect(attached.pause?.()).toBe("hidden");
  page.document.prerendering = false;
  page.happen("prerenderingchange");
  expect(seen).toEqual([undefined]);
  stop();
});

describe("a device that slept", () => {
  /** The timers of a device that sleeps stand still, but its clock does not. */
  async function sleep(ms: number): Promise<void> {
    const { now } = clock;
    const from = now();
    Object.assign(clock, { now: () => from + ms + (now() - from) });
    await clock.advance(15_000);
  }

  test("is noticed by a timer that is too late, once", async () => {
    const { seen, stop } = watch();
    await clock.advance(60_000);
    expect(seen).toEqual([]);
    await sleep(90_000);
    expect(seen).toEqual(["asleep", undefined]);
    await clock.advance(60_000);
    expect(seen).toEqual(["asleep", undefined]);
    stop();
  });

  test("is noticed at once when its page is looked at", async () => {
    const { seen, stop } = watch();
    const { now } = clock;
    Object.assign(clock, { now: () => now() + 600_000 });
    page.see("visible");
    expect(seen).toEqual(["asleep", undefined]);
    stop();
  });

  test("is not suspected for timers that are as late as those of a hidden page", async () => {
    const { seen, stop } = watch();
    await sleep(60_000);
    expect(seen).toEqual([]);
    stop();
  });

  test("has not slept if its clock was set back", async () => {
    const { seen, stop } = watch();
    await sleep(-3_600_000);
    expect(seen).toEqual([]);
    stop();
  });
});

test("the page is listened to from the first stream to the last, and no timer is left", async () => {
  const attached = attach({ hiddenAfterMs: 1_000 }, () => {});
  expect(page.listening).toBe(0);
  const stop = attached.watch?.();
  expect(page.listening).toBeGreaterThan(0);
  page.see("hidden");
  stop?.();
  stop?.();
  await clock.settle();
  expect(page.listening).toBe(0);
  expect(clock.sleepers).toBe(0);
  attached.watch?.()();
  await clock.settle();
  expect(page.listening).toBe(0);
  expect(clock.sleepers).toBe(0);
});

test("there is no unload handler, which would keep the page out of the back-forward cache", () => {
  const { stop } = watch();
  expect([...page.listeners.keys()].filter((type) => type.includes("unload"))).toEqual([]);
  stop();
});

test("on a server nothing pauses and nothing is listened to", () => {
  for (const name of ["document", "navigator"]) vi.stubGlobal(name, undefined);
  Reflect.deleteProperty(globalThis, "addEventListener");
  const { attached, stop } = watch();
  expect(attached.pause?.()).toBeUndefined();
  expect(clock.sleepers).toBe(0);
  stop();
});
