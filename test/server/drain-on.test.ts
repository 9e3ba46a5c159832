import { createClient, createRouterTransport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { classify } from "../../src/index.js";
import {
  AdminService,
  adminService,
  type BouncerOptions,
  type DrainOnOptions,
  type DrainOnReport,
  drainOn,
  memoryStore,
  type Report,
  type Signal,
  type Store,
} from "../../src/server/index.js";
import { createFakeStream } from "./fake-stream.js";
import { openVenue } from "./venue.js";

const signal: Signal = "SIGUSR2"; // which nothing else in this process listens to
const exit = vi.spyOn(process, "exit");

beforeEach(() => {
  exit.mockReset();
  exit.mockImplementation(() => undefined as never);
});

afterEach(() => {
  process.removeAllListeners(signal);
});

const emit = () => process.emit(signal, signal);

/** A store that takes down what is decided in another way. */
const storeThat = (record: Store["record"]): Store => ({ ...memoryStore(), record });

test("on a signal drains with the options, and then calls what comes next with the report", async () => {
  const venue = openVenue();
  const guests = [venue.enter({ user: "ann" }), venue.enter({ user: "bob" })];
  await venue.clock.settle();
  const reports: Report[] = [];
  drainOn([signal], venue.bouncer, {
    overMs: 10_000,
    message: "Deploying",
    onDrained: (report) => reports.push(report),
  });
  await venue.clock.advance(60_000);
  expect(guests.map(({ told }) => told)).toEqual([undefined, undefined]); // not before
  emit();
  await venue.clock.settle();
  expect((await venue.enter({ user: "eve" }).end)?.reason).toBe("maintenance");
  expect([guests.map(({ told }) => told?.message), reports]).toEqual([["Deploying", undefined], []]);
  await venue.clock.advance(10_000);
  expect(guests.map(({ told }) => told?.message)).toEqual(["Deploying", "Deploying"]);
  expect(reports).toEqual([expect.objectContaining({ matched: 2, told: 2 })]);
  expect(exit).not.toHaveBeenCalled();
  expect(venue.clock.sleepers).toBe(0);
});

test("says when the service is back, counted from the signal", async () => {
  const venue = openVenue();
  drainOn([signal], venue.bouncer, { backAfterMs: 30_000, returnPerSecond: 100, onDrained: () => {} });
  await venue.clock.advance(5_000);
  const guest = venue.enter({ user: "ann" });
  await venue.clock.settle();
  const back = venue.clock.now() + 30_000;
  emit();
  expect(await guest.end).toMatchObject({ reason: "maintenance", retryAt: new Date(back) });
});

test.each([
  ["0 if all were told", undefined, 0],
  ["1 if one was not", { below: true }, 1],
])("ends the process, without anything else to do, with the exit code %s", async (_, stuck, code) => {
  const venue = openVenue();
  venue.enter({ user: "ann", ...(stuck && { below: createFakeStream() }) });
  await venue.clock.settle();
  drainOn([signal], venue.bouncer);
  emit();
  await venue.clock.advance(5_000);
  expect(exit.mock.calls).toEqual([[code]]);
});

describe("a unary call that is worked on at the signal", () => {
  /** A server whose unary calls take so many ms, or what a call's text says, and one of them under way. */
  async function working(ms: number, options: DrainOnOptions = {}, bouncer: Partial<BouncerOptions> = {}) {
    const venue = openVenue({
      ...bouncer,
      say: async ({ text }, { signal: _ }) => {
        await venue.clock.sleep(text === "" ? ms : Number(text));
        return { id: 7 };
      },
    });
    const chat = createClient(ChatService, venue.transport);
    const say = (text = "") =>
      chat.say({ text }, { headers: venue.headerOf({ user: "ann" }) }).then(
        ({ id }) => id,
        (error) => classify({ error }, { now: venue.clock.now() }),
      );
    const answer = say();
    await venue.clock.settle();
    drainOn([signal], venue.bouncer, options);
    return { venue, say, answer };
  }

  test("is waited for, and answered, before the process ends", async () => {
    const { venue, answer } = await working(3_000);
    emit();
    await venue.clock.advance(2_999);
    expect(exit).not.toHaveBeenCalled();
    await venue.clock.advance(1);
    expect(await answer).toBe(7);
    expect(exit.mock.calls).toEqual([[0]]);
    expect(venue.clock.sleepers).toBe(0);
  });

  test("is waited for no longer than forceAfterMs, and the exit code says that it was not finished", async () => {
    const { venue } = await working(60_000, { forceAfterMs: 2_000 });
    emit();
    await venue.clock.advance(1_999);
    expect(exit).not.toHaveBeenCalled();
    await venue.clock.advance(1);
    expect(exit.mock.calls).toEqual([[1]]);
    await venue.clock.advance(60_000);
  });

  test("is counted in the report, by whether it was finished", async () => {
    const reports: DrainOnReport[] = [];
    const onDrained = (report: DrainOnReport) => void reports.push(report);
    const { venue, say } = await working(1_000, { forceAfterMs: 2_000, onDrained });
    venue.enter({ user: "bob" });
    void say("60000");
    await venue.clock.settle();
    emit();
    await venue.clock.advance(2_000);
    expect(reports).toMatchObject([{ matched: 1, told: 1, calls: { finished: 1, unfinished: 1 } }]);
    await venue.clock.advance(60_000);
  });

  test("is waited for while the last streams are forced: all is over after overMs and forceAfterMs", async () => {
    const { venue } = await working(60_000, { overMs: 10_000, forceAfterMs: 2_000 });
    for (let count = 0; count < 10; count++) venue.enter({ user: `u${count}`, below: createFakeStream() });
    await venue.clock.settle();
    emit();
    await venue.clock.advance(11_999);
    expect(exit).not.toHaveBeenCalled();
    await venue.clock.advance(1);
    expect(exit.mock.calls).toEqual([[1]]);
    await venue.clock.advance(60_000);
  });

  test("goes on being served while streams are ended in turn; then newcomers are refused, not cut", async () => {
    const { venue, say } = await working(8_000, { overMs: 10_000, message: "Deploying", backAfterMs: 60_000 });
    for (const user of ["ann", "bob"]) venue.enter({ user });
    await venue.clock.settle();
    const retryAt = new Date(venue.clock.now() + 60_000);
    emit();
    await venue.clock.advance(4_999);
    const served = say("1");
    await venue.clock.advance(1);
    expect(await served).toBe(7);
    expect(await say()).toMatchObject({ reason: "maintenance", message: "Deploying", retryAt, said: true });
    expect(exit).not.toHaveBeenCalled();
    await venue.clock.advance(3_000);
    expect(exit.mock.calls).toEqual([[0]]);
  });

  test("is waited for, too, if the store fails", async () => {
    const { venue, answer } = await working(
      3_000,
      {},
      { store: storeThat(() => Promise.reject(new Error("store down"))) },
    );
    emit();
    await venue.clock.advance(2_999);
    expect(exit).not.toHaveBeenCalled();
    await venue.clock.advance(1);
    expect([await answer, exit.mock.calls]).toEqual([7, [[2]]]);
  });

  test("by an admin is waited for as well", async () => {
    const venue = openVenue();
    const admin = createRouterTransport(
      (router) =>
        router.service(AdminService, {
          ...adminService(venue.bouncer, { authorize: () => "root" }),
          list: async () => {
            await venue.clock.sleep(1_000);
            return {};
          },
        }),
      { router: { interceptors: [venue.bouncer.interceptor] } },
    );
    void createClient(AdminService, admin).list({});
    await venue.clock.settle();
    drainOn([signal], venue.bouncer);
    emit();
    await venue.clock.advance(999);
    expect(exit).not.toHaveBeenCalled();
    await venue.clock.advance(1);
    expect(exit.mock.calls).toEqual([[0]]);
  });
});

test("a second signal ends the process at once", async () => {
  const venue = openVenue();
  venue.enter({ user: "ann" });
  venue.enter({ user: "bob" });
  await venue.clock.settle();
  drainOn([signal], venue.bouncer, { overMs: 60_000, onDrained: () => {} });
  emit();
  await venue.clock.settle();
  expect(exit).not.toHaveBeenCalled();
  emit();
  expect(exit.mock.calls).toEqual([[1]]);
  await venue.clock.advance(60_000);
});

describe("where the store", () => {
  const never = () => new Promise<never>(() => {});
  const ways: [string, Store["record"], string, number][] = [
    ["fails", () => Promise.reject(new Error("store down")), "store down", 0],
    [
      "throws",
      () => {
        throw new Error("store down");
      },
      "store down",
      0,
    ],
    ["does not answer", never, "not recorded within 1000 ms", 1_000],
  ];

  test.each(ways)("%s, everybody is told all the same, and report and exit code say so", async (_, record, why, ms) => {
    for (const ownEnd of [true, false]) {
      exit.mockClear();
      const venue = openVenue({ store: storeThat(record) });
      const guests = [venue.enter({ user: "ann" }), venue.enter({ user: "bob" })];
      await venue.clock.settle();
      const reports: DrainOnReport[] = [];
      const onDrained = (report: DrainOnReport) => void reports.push(report);
      const off = drainOn([signal], venue.bouncer, { message: "Deploying", ...(ownEnd && { onDrained }) });
      emit();
      await venue.clock.advance(ms);
      expect((await venue.enter({ user: "eve" }).end)?.reason).toBe("maintenance");
      for (const { end } of guests) expect(await end).toMatchObject({ reason: "maintenance", message: "Deploying" });
      await venue.clock.settle();
      expect(venue.failures).toEqual([`the store failed: what is carried out is not recorded: Error: ${why}`]);
      expect(venue.clock.sleepers).toBe(0);
      if (ownEnd) expect(reports).toMatchObject([{ matched: 2, told: 2, recorded: false }]);
      expect(exit.mock.calls).toEqual(ownEnd ? [] : [[2]]);
      off();
    }
  });

  test.each(ways)("%s, all is over two seconds after overMs and forceAfterMs at the latest", async (_, record) => {
    const venue = openVenue({ store: storeThat(record) });
    for (let count = 0; count < 10; count++) venue.enter({ user: `u${count}`, below: createFakeStream() });
    await venue.clock.settle();
    drainOn([signal], venue.bouncer, { overMs: 3_000, forceAfterMs: 2_000 });
    emit();
    await venue.clock.advance(7_000);
    expect(exit.mock.calls).toEqual([[1]]); // they had to be forced
  });

  test("answers late, the drain counts as recorded", async () => {
    const venue = openVenue({ store: storeThat(async () => void (await venue.clock.sleep(4_000))) });
    venue.enter({ user: "ann" });
    venue.enter({ user: "bob" });
    await venue.clock.settle();
    drainOn([signal], venue.bouncer, { overMs: 10_000 });
    emit();
    await venue.clock.advance(10_000);
    expect(exit.mock.calls).toEqual([[0]]);
  });

  test("does not answer to the drain that an admin has begun, the process drains by itself", async () => {
    const venue = openVenue({ store: storeThat(never) });
    const guest = venue.enter({ user: "ann" });
    await venue.clock.settle();
    void venue.bouncer.drain({ overMs: 60_000 });
    await venue.clock.advance(10_000);
    drainOn([signal], venue.bouncer);
    emit();
    await venue.clock.advance(1_000);
    expect((await guest.end)?.reason).toBe("maintenance");
    expect(exit.mock.calls).toEqual([[2]]);
  });
});

test("an onDrained that fails is told of, and the process ends all the same, for it was asked to", async () => {
  const venue = openVenue();
  drainOn([signal], venue.bouncer, { onDrained: () => Promise.reject(new Error("mine")) });
  emit();
  await venue.clock.settle();
  expect(venue.failures).toEqual(["the drain on SIGUSR2 failed: Error: mine"]);
  expect(exit.mock.calls).toEqual([[1]]);
});

test("waits for a drain that somebody else has begun, and then goes on with its report", async () => {
  const venue = openVenue();
  for (const user of ["ann", "bob"]) venue.enter({ user });
  await venue.clock.settle();
  const reports: Report[] = [];
  drainOn([signal], venue.bouncer, { onDrained: (report) => reports.push(report) });
  const theirs = venue.bouncer.drain({ overMs: 10_000 });
  emit();
  await venue.clock.advance(4_999);
  expect(reports).toEqual([]);
  await venue.clock.advance(5_001);
  expect(reports).toEqual([{ ...(await theirs), calls: { finished: 0, unfinished: 0 }, recorded: true }]);
  expect(venue.failures).toEqual([]);
});

test("drains by itself where the drain that somebody else has begun is called off, so that nobody is left untold", async () => {
  const venue = openVenue();
  const guests = [venue.enter({ user: "ann" }), venue.enter({ user: "bob" }), venue.enter({ user: "eve" })];
  await venue.clock.settle();
  const opening = new AbortController();
  void venue.bouncer.drain({ overMs: 60_000, signal: opening.signal });
  await venue.clock.settle();
  drainOn([signal], venue.bouncer);
  emit();
  await venue.clock.settle();
  expect(guests.map(({ told }) => told?.reason)).toEqual(["maintenance", undefined, undefined]);
  opening.abort();
  await venue.clock.settle();
  expect(guests.map(({ told }) => told?.reason)).toEqual(["maintenance", "maintenance", "maintenance"]);
  expect(venue.bouncer.stats().draining).toBe(true);
  expect(exit.mock.calls).toEqual([[0]]);
});

test("does nothing any more after its removal, and listens to nothing", async () => {
  const venue = openVenue();
  const off = drainOn([signal, "SIGHUP"], venue.bouncer, { onDrained: () => {} });
  expect([process.listenerCount(signal), process.listenerCount("SIGHUP")]).toEqual([1, 1]);
  off();
  expect([process.listenerCount(signal), process.listenerCount("SIGHUP")]).toEqual([0, 0]);
  emit();
  await venue.clock.settle();
  expect(venue.bouncer.stats().draining).toBe(false);
});

test.each<[unknown, unknown, string]>([
  [[], {}, 'signals: expected an array such as ["SIGTERM"], got []'],
  ["SIGTERM", {}, 'signals: expected an array such as ["SIGTERM"], got "SIGTERM"'],
  [[signal], { onDrained: 5 }, "options.onDrained: expected a function, got 5"],
  [[signal], { backAfterMs: Number.NaN }, "options.backAfterMs: expected a number of at least 0, got NaN"],
  [[signal], { overMs: -1 }, "options.overMs: expected a number from 0 to 86400000, got -1"],
])("refuses what is wrong by its name, and listens to nothing: %j, %j", (signals, options, message) => {
  const { bouncer } = openVenue();
  expect(() => drainOn(signals as Signal[], bouncer, options as object)).toThrow(message);
  expect(process.listenerCount(signal)).toBe(0);
});
