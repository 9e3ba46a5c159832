import { afterEach, beforeEach, expect, test } from "vitest";
import { createPulse, type Pulse } from "../../src/node/pulse.js";
import { createFakeClock, type FakeClock } from "../../src/testing/index.js";

let clock: FakeClock;
let pulse: Pulse;
/** Answers to the PINGs that are out. */
let pings: ((error: Error | null) => void)[];
let deaths: number;

beforeEach(() => {
  clock = createFakeClock();
  pings = [];
  deaths = 0;
  start((answer) => pings.push(answer));
});

afterEach(() => {
  pulse.stop();
  expect(clock.sleepers).toBe(0);
});

function start(ping: (answer: (error: Error | null) => void) => void) {
  const connection = {
    ping(...[answer]: readonly unknown[]) {
      ping(answer as (error: Error | null) => void);
      return true;
    },
  };
  pulse = createPulse(connection, { clock, pingIntervalMs: 30_000, pingTimeoutMs: 15_000 }, () => deaths++);
}

test("a PING goes out after the interval, and again an interval after each answer", async () => {
  pulse.watch();
  await clock.advance(29_999);
  expect(pings).toHaveLength(0);
  await clock.advance(1);
  expect(pings).toHaveLength(1);
  await clock.advance(10_000);
  pings[0]?.(null);
  await clock.advance(29_999);
  expect(pings).toHaveLength(1);
  await clock.advance(1);
  expect([pings.length, deaths]).toEqual([2, 0]);
});

test("whoever was heard of is not asked", async () => {
  pulse.watch();
  await clock.advance(20_000);
  pulse.heard();
  await clock.advance(29_999);
  expect(pings).toHaveLength(0);
  await clock.advance(1);
  expect(pings).toHaveLength(1);
});

test("no answer in time is the end, told once", async () => {
  pulse.watch();
  await clock.advance(44_999);
  expect(deaths).toBe(0);
  await clock.advance(1);
  expect(deaths).toBe(1);
  pings[0]?.(null);
  await clock.advance(600_000);
  expect([pings.length, deaths]).toEqual([1, 1]);
});

test.each([
  ["is answered with an error", (answer: (error: Error | null) => void) => answer(new Error("PING canceled"))],
  [
    "cannot be sent, since the connection is destroyed",
    () => {
      throw new Error("The session has been destroyed");
    },
  ],
])("a question ends whose PING %s", async (_, ping) => {
  start(ping);
  await clock.advance(30_000);
  const verified = pulse.verify();
  await verified;
  expect([deaths, pulse.verifying]).toEqual([1, false]);
});

test("a question ends that is stopped: the connection was closed", async () => {
  await clock.advance(30_000);
  const verified = pulse.verify();
  expect(pulse.verifying).toBe(true);
  pulse.stop();
  await verified;
  expect([deaths, pulse.verifying]).toEqual([0, false]);
});

test("many who ask at once share one PING", async () => {
  await clock.advance(30_000);
  const verified = Promise.all([pulse.verify(), pulse.verify(), pulse.verify()]);
  expect(pings).toHaveLength(1);
  pings[0]?.(null);
  await verified;
  await pulse.verify(); // heard of just now
  expect([pings.length, deaths]).toEqual([1, 0]);
});

test("with an interval without end nobody is asked", async () => {
  pulse = createPulse(
    { ping: () => true },
    { clock, pingIntervalMs: Number.POSITIVE_INFINITY, pingTimeoutMs: 1 },
    () => deaths++,
  );
  pulse.watch();
  await clock.advance(1e12);
  await pulse.verify();
  expect(deaths).toBe(0);
});
