import { describe, expect, test } from "vitest";
import {
  type Bouncer,
  controlStreamService,
  drainOn,
  LimitError,
  memoryStore,
  type Report,
} from "../../../src/server/index.js";
import { openVenue } from "../venue.js";

// Whatever is wrong with a call is told by the name of the field, before anything is done.

const ann = { user: "ann" };
const late = new Date("2040-01-01"); // the venue's clock starts in 2030
const past = new Date("2029-12-31");
const never = new Date(Number.NaN);
const tooLate = new Date("+010000-01-01");

type IncomingCall = (bouncer: Bouncer, given: never) => unknown;

/** Ann inside, and what was written to the store. */
async function open() {
  const written: string[] = [];
  const store = memoryStore();
  const noting = <A extends unknown[], R>(name: string, write: (...args: A) => R) => {
    return (...args: A): R => {
      written.push(name);
      return write(...args);
    };
  };
  const { record, restrict, consume, lift } = store;
  const venue = openVenue({
    store: {
      ...store,
      record: noting("record", record),
      restrict: noting("restrict", restrict),
      consume: noting("consume", consume),
      lift: noting("lift", lift),
    },
  });
  const guest = venue.enter(ann);
  await guest.decided;
  return { ...venue, guest, written };
}

/** Makes the call, and expects to be told so. */
async function expectRefused(call: (bouncer: Bouncer) => unknown, message: RegExp): Promise<void> {
  const { bouncer, guest, written, clock, failures } = await open();
  const before = bouncer.stats();
  const error: unknown = await (async () => call(bouncer))().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(TypeError);
  expect((error as TypeError).message).toMatch(message);
  await clock.advance(10_000);
  expect([guest.told, written, failures]).toEqual([undefined, [], []]);
  expect(bouncer.stats()).toEqual(before); // she is inside, and nothing was counted
}

/** Every call that takes a selector. */
const selecting: { readonly [name: string]: IncomingCall } = {
  list: (bouncer, selector) => bouncer.list(selector),
  count: (bouncer, selector) => bouncer.count(selector),
  streams: (bouncer, selector) => bouncer.streams(selector)[Symbol.asyncIterator]().next(),
  kick: (bouncer, selector) => bouncer.kick(selector),
  ban: (bouncer, selector) => bouncer.ban(selector),
  lift: (bouncer, selector) => bouncer.lift(selector),
  unban: (bouncer, selector) => bouncer.unban(selector),
  supersede: (bouncer, selector) => bouncer.supersede(selector),
  expire: (bouncer, selector) => bouncer.expire(selector),
  throttle: (bouncer, selector) => bouncer.throttle(selector),
  "throttle until a time": (bouncer, selector) => bouncer.throttle(selector, { retryAt: late }),
  announce: (bouncer, selector) => bouncer.announce(selector, { reason: "maintenance" }),
};

describe.each(Object.entries(selecting))("%s", (_, call) => {
  test.each([
    [null, /^selector: expected an object, got null/],
    ["ann", /^selector: expected an object, got "ann"/],
    [["ann"], /^selector: expected an object/],
    [{}, /^selector: expected one of user, session, tag, stream, or all: true, got {}/],
    [{ user: undefined }, /^selector: expected one of user/],
    [{ except: { session: "s1" } }, /^selector: expected one of user/],
    [{ usr: "ann" }, /^selector\.usr: unknown; expected one of user/],
    [{ user: 5 }, /^selector\.user: expected a string that is not empty, got 5/],
    [{ user: "" }, /^selector\.user: /],
    [{ session: null }, /^selector\.session: /],
    [{ tag: ["vip"] }, /^selector\.tag: /],
    [{ stream: 7 }, /^selector\.stream: /],
    [{ all: false }, /^selector\.all: expected true, or nothing, got false/],
    [{ user: "ann", except: "s1" }, /^selector\.except: expected an object/],
    [{ user: "ann", except: { user: "bob" } }, /^selector\.except\.user: unknown/],
    [{ user: "ann", except: { stream: "" } }, /^selector\.except\.stream: /],
  ])("refuses the selector %j by name", (selector, message) =>
    expectRefused((bouncer) => call(bouncer, selector as never), message),
  );
});

describe.each(["ban", "lift", "unban", "throttle until a time"])("%s", (name) => {
  test.each([
    { all: true },
    { stream: "x-1" },
    { user: "ann", session: "s1" },
    { user: "ann", tag: "vip" },
    { user: "ann", except: { session: "s1" } },
  ])("refuses %j, for it counts for those who come later", (selector) =>
    expectRefused(
      (bouncer) => selecting[name]?.(bouncer, selector as never),
      /^selector: expected exactly one of user, session and tag/,
    ),
  );
});

/** Every call that takes words, and options. */
const speaking: { readonly [name: string]: (bouncer: Bouncer, words: never, options?: never) => Promise<Report> } = {
  kick: (bouncer, words, options) => bouncer.kick(ann, words, options),
  ban: (bouncer, words, options) => bouncer.ban(ann, words, options),
  supersede: (bouncer, words, options) => bouncer.supersede(ann, words, options),
  expire: (bouncer, words, options) => bouncer.expire(ann, words, options),
  throttle: (bouncer, words, options) => bouncer.throttle(ann, words, options),
  revoke: (bouncer, words, options) => bouncer.revoke("ann", words, options),
};

describe.each(Object.entries(speaking))("%s", (_, call) => {
  test.each([
    [null, /^words: expected an object, got null/],
    ["Idle", /^words: expected an object, got "Idle"/],
    [5, /^words: expected an object, got 5/],
    [["Idle"], /^words: expected an object/],
    [{ reason: "kicked" }, /^words\.reason: unknown/],
    [{ mesage: "Idle" }, /^words\.mesage: unknown/],
    [{ message: 5 }, /^words\.message: expected a string, got 5/],
    [{ localized: "Ade" }, /^words\.localized: expected an object/],
    [{ localized: { locale: 7, message: "Ade" } }, /^words\.localized\.locale: expected a string/],
    [{ localized: { locale: "de" } }, /^words\.localized\.message: expected a string/],
    [{ localized: { locale: "de", message: "Ade", text: "" } }, /^words\.localized\.text: unknown/],
  ])("refuses the words %j by name", (words, message) =>
    expectRefused((bouncer) => call(bouncer, words as never), message),
  );

  test.each([
    [null, /^options: expected an object, got null/],
    ["abort", /^options: expected an object, got "abort"/],
    [{ force: true }, /^options\.force: unknown; expected one of mode/],
    [{ mode: "hard" }, /^options\.mode: expected "tell" or "abort", got "hard"/],
    [{ forceAfterMs: -1 }, /^options\.forceAfterMs: expected a number of at least 0, got -1/],
    [{ forceAfterMs: Number.NaN }, /^options\.forceAfterMs: /],
    [{ forceAfterMs: "5s" }, /^options\.forceAfterMs: /],
    [{ dryRun: "yes" }, /^options\.dryRun: expected true or false, got "yes"/],
    [{ details: 1 }, /^options\.details: expected true or false, got 1/],
    [{ limit: -1 }, /^options\.limit: expected a whole number of at least 0, or Infinity, got -1/],
    [{ limit: 1.5 }, /^options\.limit: /],
    [{ limit: "10" }, /^options\.limit: /],
    [{ by: 5 }, /^options\.by: expected a string, got 5/],
    [{ note: {} }, /^options\.note: expected a string/],
  ])("refuses the options %j by name", (options, message) =>
    expectRefused((bouncer) => call(bouncer, {} as never, options as never), message),
  );

  test("does nothing if more streams match than the limit", async () => {
    const { bouncer, guest, written, clock } = await open();
    const error = await call(bouncer, {} as never, { limit: 0 } as never).catch((error) => error);
    expect(error).toBeInstanceOf(LimitError);
    expect(error).toMatchObject({ matched: 1, limit: 0 });
    await clock.advance(10_000);
    expect([guest.told, written, bouncer.count()]).toEqual([undefined, [], 1]);
  });
});

/** The other calls, and those whose words have fields of their own. */
const others: { readonly [name: string]: IncomingCall } = {
  ...speaking,
  lift: (bouncer, attribution) => bouncer.lift(ann, attribution),
  "revoke of": (bouncer, user) => bouncer.revoke(user),
  "epoch of": (bouncer, user) => bouncer.epoch(user),
  announce: (bouncer, words) => bouncer.announce(ann, words),
  "announce at": (bouncer, at) => bouncer.announce(ann, { reason: "kicked" }, at),
  onRelease: (bouncer, hook) => bouncer.onRelease(hook),
  controlStreamService: (_, bouncer) => controlStreamService(bouncer),
  "drainOn signals": (bouncer, signals) => drainOn(signals, bouncer),
  "drainOn options": (bouncer, options) => drainOn(["SIGHUP"], bouncer, options),
};

test.each<readonly [keyof typeof others, unknown, RegExp]>([
  ["kick", { code: 5 }, /^words\.code: expected a string/],
  ["kick", { until: late }, /^words\.until: /],
  ["ban", { code: null }, /^words\.code: /],
  ["ban", { until: "tomorrow" }, /^words\.until: expected a Date/],
  ["ban", { until: never }, /^words\.until: .* an invalid Date/],
  ["ban", { until: tooLate }, /^words\.until: .* years 1 to 9999/],
  ["ban", { until: past }, /^words\.until: expected a Date in the future/],
  ["ban", { untill: late }, /^words\.untill: unknown/],
  ["ban", { retryAt: late }, /^words\.retryAt: /],
  ["supersede", { by: 5 }, /^words\.by: expected a string/],
  ["throttle", { retryAt: 5_000 }, /^words\.retryAt: expected a Date/],
  ["throttle", { retryAt: never }, /^words\.retryAt: /],
  ["throttle", { retryAt: past }, /^words\.retryAt: .* future/],
  ["throttle", { reserved: "yes" }, /^words\.reserved: expected true/],
  ["lift", null, /^(audit|options): expected an object/],
  ["lift", { by: 5 }, /^(audit|options)\.by: expected a string/],
  ["lift", { not: "x" }, /^(audit|options)\.not: unknown/],
  ["revoke of", undefined, /user/],
  ["revoke of", "", /user/],
  ["revoke of", { user: "ann" }, /user/],
  ["epoch of", 5, /user/],
  ["announce", undefined, /^words: expected an object/],
  ["announce", {}, /^words\.reason: /],
  ["announce", { reason: "fired" }, /^words\.reason: .*"fired"/],
  ["announce at", "noon", /^at: expected a Date/],
  ["announce at", never, /^at: expected a Date/],
  ["onRelease", 5, /^hook: expected a function, got 5/],
  ["controlStreamService", {}, /^bouncer: expected a bouncer made by createBouncer/],
  ["drainOn signals", "SIGTERM", /^signals: expected an array/],
  ["drainOn signals", [], /^signals: expected an array/],
  ["drainOn signals", ["SIGTRM"], /^signals.*SIGTRM/],
  ["drainOn options", { overMs: -1 }, /^options\.overMs: /],
  ["drainOn options", { backAfterMs: "1s" }, /^options\.backAfterMs: /],
  ["drainOn options", { onDrained: 5 }, /^options\.onDrained: /],
])("%s refuses %j by name", (name, given, message) =>
  expectRefused((bouncer) => others[name]?.(bouncer, given as never), message),
);

test.each([
  [null, /^options: expected an object/],
  [{ over: 60_000 }, /^options\.over: unknown; expected one of overMs/],
  [{ overMs: -1 }, /^options\.overMs: expected a number from 0 to 86400000, got -1/],
  [{ overMs: 86_400_001 }, /^options\.overMs: /],
  [{ backAt: 5_000 }, /^options\.backAt: expected a Date/],
  [{ backAt: never }, /^options\.backAt: expected a Date.* an invalid Date/],
  [{ backAt: tooLate }, /^options\.backAt: /],
  [{ returnPerSecond: 0 }, /^options\.returnPerSecond: expected a number of at least 0.001, got 0/],
  [{ message: 5 }, /^options\.message: expected a string, got 5/],
  [{ localized: { locale: "de" } }, /^options\.localized\.message: expected a string/],
  [{ forceAfterMs: -1 }, /^options\.forceAfterMs: /],
  [{ by: 5 }, /^options\.by: expected a string/],
  [{ note: 5 }, /^options\.note: expected a string/],
  [{ onProgress: "log" }, /^options\.onProgress: expected a function/],
  [{ signal: "SIGTERM" }, /^options\.signal: expected an AbortSignal/],
])("drain refuses %j by name, and leaves the door open", (options, message) =>
  expectRefused((bouncer) => bouncer.drain(options as never), message),
);

test("a drain whose signal was aborted before does nothing", async () => {
  const { bouncer, guest, written, clock } = await open();
  const reason = new Error("not today");
  await expect(bouncer.drain({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await clock.advance(10_000);
  expect([guest.told, written, bouncer.stats().draining]).toEqual([undefined, [], false]);
});
