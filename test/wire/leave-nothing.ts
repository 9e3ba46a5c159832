import { afterAll, afterEach, beforeAll, expect, vi } from "vitest";
import { type Clock, systemClock } from "../../src/ports/clock.js";

interface Closeable {
  close(): unknown;
}

let asleep = 0;

/** The system's clock, which counts who sleeps, so that a timer left behind shows. */
export const clock: Clock = {
  ...systemClock,
  sleep: async (ms, signal) => {
    asleep++;
    try {
      await systemClock.sleep(ms, signal);
    } finally {
      asleep--;
    }
  },
};

/**
 * For the top of a test file. Closes what the returned function was given when the test is over, the last one first.
 * Then fails what left a rejection or an exception unhandled, a timer, a process or a socket behind.
 */
export function leaveNothing(): <T extends Closeable>(thing: T) => T {
  const things: Closeable[] = [];
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);
  const events = ["unhandledRejection", "uncaughtException", "warning"] as const; // a warning tells of leaked listeners

  beforeAll(() => {
    for (const event of events) process.on(event, note);
  });
  afterEach(async () => {
    for (const thing of things.splice(0).reverse()) await thing.close();
    await vi.waitFor(() => expect(asleep).toBe(0), patience);
    expect(unhandled.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await vi.waitFor(
      () => expect(process.getActiveResourcesInfo().filter((kind) => left.test(kind))).toEqual([]),
      patience,
    );
    for (const event of events) process.off(event, note);
    expect(unhandled).toEqual([]);
  });
  return (thing) => {
    things.push(thing);
    return thing;
  };
}

/** For the top of a test file whose sockets may be left behind: fails what left a rejection or an exception unhandled. */
export function leaveNothingUnhandled(): void {
  const unhandled: unknown[] = [];
  for (const event of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(event, (error: unknown) => void unhandled.push(error));
  }
  afterEach(() => {
    expect(unhandled.splice(0)).toEqual([]);
  });
}

/** For `vi.waitFor`: a safety net, never a measure. */
export const patience = { timeout: 60_000, interval: 1 };

const left = /^(TCP|TLS|HTTP|Process)/;
