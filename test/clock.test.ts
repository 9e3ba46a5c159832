import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../src/index.js";
import { createFakeClock } from "../src/testing/index.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the system's clock sleeps, also for longer than a timer can", async () => {
  const awake = vi.fn();
  systemClock.sleep(60 * 24 * 3_600_000).then(awake);
  await vi.advanceTimersByTimeAsync(59 * 24 * 3_600_000);
  expect(awake).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(24 * 3_600_000);
  await vi.waitFor(() => expect(awake).toHaveBeenCalledOnce(), { timeout: 60_000 });
});

test("the system's clock wakes nobody before Node has closed what failed in this turn", async () => {
  vi.useRealTimers();
  const order: string[] = [];
  // A handle that is closed in a timer is told so in the close phase: after the timers and after one immediate.
  await new Promise<void>((resolve) => {
    setTimeout(() => {
      const server = createServer().listen(0, "127.0.0.1");
      server.close(() => order.push("closed"));
      systemClock.sleep(0).then(() => {
        order.push("awake");
        resolve();
      });
      const until = performance.now() + 5;
      while (performance.now() < until); // the sleeper's timer is due in this very turn
    });
  });
  expect(order).toEqual(["closed", "awake"]);
});

test.each([
  ["the system's clock", () => systemClock, () => vi.getTimerCount()],
  ["the fake clock", createFakeClock, undefined],
])("%s wakes a sleeper by its signal and leaves no timer", async (_, make, count) => {
  const clock = make();
  const timers = count ?? (() => (clock as ReturnType<typeof createFakeClock>).sleepers);
  const controller = new AbortController();
  const sleeping = clock.sleep(1_000, controller.signal);
  expect(timers()).toBe(1);
  controller.abort(new Error("enough"));
  await expect(sleeping).rejects.toThrow("enough");
  await expect(clock.sleep(1_000, controller.signal)).rejects.toThrow("enough");
  expect(timers()).toBe(0);
});

test("the fake clock wakes sleepers in their order, each at its own time", async () => {
  vi.useRealTimers();
  const clock = createFakeClock({ now: 0 });
  const woken: string[] = [];
  const sleep = async (ms: number, again = 0) => {
    await clock.sleep(ms);
    woken.push(`${ms} at ${clock.now()}`);
    if (again > 0) await sleep(again);
  };
  void sleep(30);
  void sleep(10, 15);
  await clock.advance(20);
  expect(woken).toEqual(["10 at 10"]);
  expect(clock.now()).toBe(20);
  await clock.advance(80);
  expect(woken).toEqual(["10 at 10", "15 at 25", "30 at 30"]);
  expect(clock.now()).toBe(100);
});

test("the system's clock for durations is not the one that people set", async () => {
  vi.useRealTimers();
  const before = systemClock.monotonic();
  vi.spyOn(Date, "now").mockReturnValue(0);
  expect(systemClock.now()).toBe(0);
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before);
  vi.restoreAllMocks();
});

test("the fake clock's wall clock is set forth and back, and no time passes by that", async () => {
  vi.useRealTimers();
  const clock = createFakeClock({ now: 1_000_000 });
  const awake = vi.fn();
  void clock.sleep(100).then(awake);
  await clock.advance(40);
  clock.setWallClock(9_000_000);
  await clock.advance(59);
  expect(awake).not.toHaveBeenCalled();
  expect([clock.now(), clock.monotonic()]).toEqual([9_000_059, 99]);
  clock.setWallClock(5);
  await clock.advance(1);
  expect(awake).toHaveBeenCalledOnce();
  expect([clock.now(), clock.monotonic()]).toEqual([6, 100]);
  expect(() => clock.setWallClock(-1)).toThrow("epochMs: expected a number of at least 0, got -1");
});
