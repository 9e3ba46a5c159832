import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setImmediate as turn } from "node:timers/promises";
import { type ContextValues, createClient, createRouterTransport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type * as server from "../../src/server/index.js";
import {
  AdminService,
  adminService,
  type Bouncer,
  type BouncerOptions,
  channels,
  drainOn,
  type Logger,
  memoryStore,
  type Store,
} from "../../src/server/index.js";
import type { HandedTo } from "../handed.js";
import { createFakeStream } from "./fake-stream.js";
import { openVenue, type Venue } from "./venue.js";

// Whatever an app hands in may be async, and may fail: it is told of, and in nobody's way.

/** Handed in for what it is, and not to be called. A clock is asked and not told, and can answer at once alone. */
type Opaque =
  | readonly unknown[]
  | Bouncer
  | Date
  | AbortSignal
  | ContextValues
  | server.Stream
  | NonNullable<BouncerOptions["clock"]>;

/** All callbacks of the public types: one that is added to them has no case below, and does not compile. */
type Handed =
  | HandedTo<typeof server, Opaque>
  | `bouncer.${HandedTo<Omit<Bouncer, "interceptor">, Opaque>}`
  | `store.${HandedTo<Store, Opaque>}`
  | "what store.subscribe answers with";

const own = new Error("own");

/** Each way to fail. */
const ways = {
  throws: () => {
    throw own;
  },
  "rejects at once": () => Promise.reject(own),
  "rejects later": () => new Promise<never>((_, reject) => setImmediate(reject, own)),
} as const;

type Fail = (typeof ways)[keyof typeof ways];

/** What was reported, and what was logged as an error. */
const reported: unknown[] = [];
const reportError = (error: unknown) => reported.push(error);
const quiet = () => {};
const logger: Logger = {
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: (fields) => reported.push((fields as { readonly err: unknown }).err),
};

const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);
const events = ["unhandledRejection", "uncaughtException", "warning"] as const;
const exit = vi.spyOn(process, "exit");

beforeEach(() => {
  exit.mockReset();
  exit.mockImplementation(() => undefined as never);
  for (const event of events) process.on(event, note);
});
afterEach(() => {
  for (const event of events) process.off(event, note);
  process.removeAllListeners("SIGUSR2");
  reported.splice(0);
  expect(uncaught.splice(0)).toEqual([]);
});

function open(options: Parameters<typeof openVenue>[0] = {}): Venue {
  return openVenue({ logger, reportError, ...options });
}

/** Somebody comes in, is put out with a word, and stays out. */
async function goesOn(venue: Venue): Promise<void> {
  const { bouncer, clock, enter } = venue;
  const guest = enter({ user: "ann", session: "s1", epoch: 0 });
  await clock.settle();
  expect(guest.entered).toBe(true);
  expect(await bouncer.ban({ user: "ann" })).toMatchObject({ matched: 1, told: 1 });
  expect((await guest.end)?.reason).toBe("banned");
  expect((await enter({ user: "ann", session: "s2" }).end)?.reason).toBe("banned");
  await nothingLeft(venue);
}

/** Who comes is refused, and told that it is not their fault: nobody is let in because something failed. */
async function refuses(venue: Venue, reason: string): Promise<void> {
  const guest = venue.enter({ user: "ann", session: "s1" });
  await guest.end;
  expect([guest.entered, guest.told?.reason]).toEqual([false, reason]);
  expect(guest.error).toBeDefined();
  await nothingLeft(venue);
}

async function nothingLeft({ bouncer, clock }: Venue): Promise<void> {
  await clock.settle();
  expect([bouncer.count(), clock.sleepers]).toEqual([0, 0]);
}

const storeWith = (broken: keyof Store, fail: Fail): Store => ({ ...memoryStore(), [broken]: fail });
const limits = { logins: { max: 1 }, rateLimits: { perUser: { burst: 99, perMs: 1_000 } } };

function ofLogger(level: keyof Logger) {
  return async (fail: Fail) => {
    const venue = open({ logger: { ...logger, [level]: fail } });
    venue.bouncer.onRelease(() => {
      throw new Error("something to log as an error");
    });
    await goesOn(venue);
    expect(reported).toContain(own);
  };
}

function atTheDoor(method: "restrictions" | "epoch" | "login" | "take") {
  return async (fail: Fail) => {
    await refuses(open({ ...limits, store: storeWith(method, fail) }), "maintenance");
    expect(reported).toContain(own);
  };
}

/** All of them: uses one that fails, and says what that has to leave alone, and who is told. */
const callbacks: { readonly [H in Handed]: (fail: Fail) => Promise<unknown> } = {
  "createBouncer.identify": async (identify) => {
    await refuses(open({ identify }), "aborted");
    expect(reported).toEqual([own]);
  },
  "createBouncer.addressOf": async (addressOf) => {
    await refuses(open({ addressOf, rateLimits: { perAddress: { burst: 99, perMs: 1_000 } } }), "aborted");
    expect(reported).toEqual([own]);
  },
  "createBouncer.logger.debug": ofLogger("debug"),
  "createBouncer.logger.info": ofLogger("info"),
  "createBouncer.logger.warn": ofLogger("warn"),
  "createBouncer.logger.error": ofLogger("error"),
  "createBouncer.reportError": async (fail) => {
    let asked = 0;
    const failing = () => {
      asked++;
      return fail();
    };
    const venue = open({ logger: { ...logger, error: fail }, reportError: failing });
    venue.bouncer.onRelease(fail);
    await goesOn(venue);
    expect(asked).toBe(1); // and not again of its own failure
  },
  "createBouncer.store.restrictions": atTheDoor("restrictions"),
  "createBouncer.store.epoch": atTheDoor("epoch"),
  "createBouncer.store.login": atTheDoor("login"),
  "createBouncer.store.take": atTheDoor("take"),
  "createBouncer.store.logout": async (fail) => {
    await goesOn(open({ ...limits, store: storeWith("logout", fail) }));
    expect(reported).toEqual([own]);
  },
  "createBouncer.store.record": async (fail) => {
    const venue = open({ store: storeWith("record", fail) });
    const guest = venue.enter({ user: "ann" });
    await venue.clock.settle();
    for (const decided of [venue.bouncer.kick({ user: "ann" }), venue.bouncer.drain()]) {
      await expect(decided).rejects.toBe(own);
    }
    expect([guest.entered, guest.told, venue.bouncer.count()]).toEqual([true, undefined, 1]);
    guest.leave();
    await nothingLeft(venue);
  },
  "createBouncer.store.lift": async (fail) => {
    const venue = open({ store: storeWith("lift", fail) });
    await expect(venue.bouncer.lift({ user: "ann" })).rejects.toBe(own);
    await goesOn(venue);
  },
  "createBouncer.store.restrict": async (fail) => {
    const venue = open({ store: storeWith("restrict", fail) });
    const guest = venue.enter({ user: "ann", session: "s1", below: createFakeStream() });
    await venue.clock.settle();
    const kicked = venue.bouncer.kick({ user: "ann" }, {}, { forceAfterMs: 10 });
    await venue.clock.advance(10);
    expect(await kicked).toMatchObject({ forced: 1 });
    expect(reported).toEqual([own]);
    await guest.end;
    await nothingLeft(venue);
  },
  "createBouncer.store.consume": async (fail) => {
    const venue = open({ store: storeWith("consume", fail) });
    const guest = venue.enter({ user: "ann", session: "s1" });
    await venue.clock.settle();
    await venue.bouncer.kick({ user: "ann" }, {}, { mode: "abort" }); // without a word, so it is said at the door
    await guest.end;
    await refuses(venue, "maintenance");
    expect(reported).toEqual([own]);
  },
  "createBouncer.store.subscribe": async (fail) => {
    expect(() => open({ store: storeWith("subscribe", fail) })).toThrow(/^own$|^the answer of store.subscribe/);
    await turn();
    expect(reported).toEqual(fail === ways.throws ? [] : [own]);
  },
  "what store.subscribe answers with": async (fail) => {
    const fails = vi.fn<() => void>().mockImplementationOnce(fail); // at the end of the test it is closed again
    const venue = open({ store: { ...memoryStore(), subscribe: () => fails } });
    venue.bouncer.close();
    await goesOn(venue);
    expect(reported).toEqual([own]);
  },
  "store.subscribe": async (fail) => {
    const told = vi.spyOn(console, "error").mockImplementation(reportError); // a store has nobody else to tell
    const store = memoryStore();
    store.subscribe(fail);
    await goesOn(open({ store }));
    expect(reported).toEqual([own]);
    told.mockRestore();
  },
  "bouncer.onRelease": async (fail) => {
    const venue = open();
    venue.bouncer.onRelease(fail);
    await goesOn(venue);
    expect(reported).toEqual([own]);
  },
  "bouncer.drain.onProgress": async (onProgress) => {
    const venue = open();
    const guests = [venue.enter({ user: "ann" }), venue.enter({ user: "bob" })];
    await venue.clock.settle();
    const drained = venue.bouncer.drain({ overMs: 2_000, onProgress });
    await venue.clock.advance(2_000);
    expect(await drained).toMatchObject({ matched: 2, told: 2 });
    for (const guest of guests) expect((await guest.end)?.reason).toBe("maintenance");
    expect(reported.length).toBeGreaterThan(2);
    await nothingLeft(venue);
  },
  "drainOn.onProgress": async (onProgress) => {
    const venue = open();
    const guest = venue.enter({ user: "ann" });
    await venue.clock.settle();
    const onDrained = vi.fn();
    drainOn(["SIGUSR2"], venue.bouncer, { onProgress, onDrained });
    process.emit("SIGUSR2");
    expect((await guest.end)?.reason).toBe("maintenance");
    await venue.clock.settle();
    expect(onDrained).toHaveBeenCalledWith(expect.objectContaining({ told: 1 }));
    expect(reported).toContain(own);
  },
  "drainOn.onDrained": async (onDrained) => {
    const venue = open();
    const guest = venue.enter({ user: "ann" });
    await venue.clock.settle();
    drainOn(["SIGUSR2"], venue.bouncer, { onDrained });
    process.emit("SIGUSR2");
    expect((await guest.end)?.reason).toBe("maintenance");
    await venue.clock.settle();
    expect(reported).toEqual([own]);
    expect(exit).toHaveBeenCalledTimes(1); // it was asked to end
    expect(exit).not.toHaveBeenCalledWith(0);
  },
  "adminService.authorize": async (authorize) => {
    const venue = open();
    const transport = createRouterTransport((router) => {
      router.service(AdminService, adminService(venue.bouncer, { authorize }));
    });
    await expect(createClient(AdminService, transport).list({ selector: { all: true } })).rejects.toThrow("authorized");
    expect(reported).toEqual([own]);
    await goesOn(venue);
  },
};

describe.each(Object.keys(ways) as (keyof typeof ways)[])(
  "a callback that %s is told of, and in nobody's way:",
  (way) => {
    test.each(Object.keys(callbacks) as Handed[])("%s", async (callback) => {
      await callbacks[callback](ways[way]);
    });
  },
);

test("a subscriber of a channel that rejects keeps no verdict from being carried out; Node tells of it as it always does", async () => {
  subscribe(channels.verdict, ways["rejects later"]);
  onTestFinished(() => void unsubscribe(channels.verdict, ways["rejects later"]));
  await goesOn(open());
  await vi.waitFor(() => expect(uncaught.splice(0)).toEqual([own]));
});
