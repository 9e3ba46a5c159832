import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Entry, memoryStore, type Restriction, type Words } from "../../src/server/index.js";

const now = Date.UTC(2030, 0, 1);
let verdicts = 0;

const restriction = (key: string, reason: Words["reason"], until?: number, once = false): Restriction => ({
  key,
  verdict: `v${++verdicts}`,
  words: { reason } as Words,
  until,
  once,
});
const entry = (restrictions: readonly Restriction[], at = now, revokes?: string): Entry => ({
  verdict: {
    id: `v${++verdicts}`,
    at: new Date(at),
    selector: { all: true },
    words: { reason: "kicked" } as Words,
    by: undefined,
    note: undefined,
  },
  restrictions,
  revokes,
  mode: "tell",
  forceAfterMs: 5_000,
  everywhere: true,
  origin: "here",
});

describe("a restriction", () => {
  test("counts against its key alone, until its end and not at it", async () => {
    const store = memoryStore();
    const ban = restriction("user:ann", "banned", now + 1_000);
    await store.record(entry([ban]));
    expect(await store.restrictions(["user:bob", "session:ann"], now)).toEqual([]);
    expect(await store.restrictions(["session:s", "user:ann"], now + 999)).toEqual([ban]);
    expect(await store.restrictions(["user:ann"], now + 1_000)).toEqual([]);
    expect(await store.restrictions(["user:ann"], now)).toEqual([]); // what is over does not come back with the clock
  });

  test("without an end does not end", async () => {
    const store = memoryStore();
    await store.record(entry([restriction("user:ann", "banned")]));
    expect(await store.restrictions(["user:ann"], now + 1e12)).toHaveLength(1);
  });

  test("gives way to the newer word for the same reason, and stands beside others", async () => {
    const store = memoryStore();
    const [first, kick, second] = [
      restriction("user:ann", "banned"),
      restriction("user:ann", "kicked"),
      restriction("user:ann", "banned", now + 9),
    ];
    await store.record(entry([first]));
    await store.restrict(kick, now);
    await store.record(entry([second]));
    expect(await store.restrictions(["user:ann"], now)).toEqual([kick, second]);
  });

  test("that is said once is spent by itself and takes no other along", async () => {
    const store = memoryStore();
    const [once, ban] = [restriction("user:ann", "kicked", now + 9, true), restriction("user:ann", "banned")];
    await store.record(entry([ban]));
    await store.restrict(once, now);
    await store.consume(once);
    await store.consume(once); // two that knock together both say it
    await store.consume(restriction("user:bob", "kicked"));
    expect(await store.restrictions(["user:ann"], now)).toEqual([ban]);
  });

  test("is told for every key that it is asked for", async () => {
    const store = memoryStore();
    await store.record(entry([restriction("user:ann", "banned"), restriction("tag:beta", "throttled", now + 5)]));
    const found = await store.restrictions(["user:ann", "session:s", "tag:beta"], now);
    expect(found.map(({ words }) => words.reason)).toEqual(["banned", "throttled"]);
  });
});

test("lifting forgets what keeps out under a key, not what is said once, and tells whether there was any", async () => {
  const store = memoryStore();
  const kick = restriction("user:ann", "kicked", now + 9_000, true);
  await store.record(entry([restriction("user:ann", "banned", now + 1_000), restriction("user:bob", "banned")]));
  await store.restrict(kick, now);
  expect(await store.lift("user:eve", now)).toBe(false);
  expect(await store.lift("user:ann", now)).toBe(true);
  expect(await store.lift("user:ann", now)).toBe(false);
  expect(await store.restrictions(["user:ann"], now)).toEqual([kick]);
  expect(await store.restrictions(["user:bob"], now)).toHaveLength(1);
  await store.record(entry([restriction("user:dan", "kicked", now + 1_000)])); // held
  expect(await store.lift("user:dan", now)).toBe(true);
  expect(await store.restrictions(["user:dan"], now)).toEqual([]);
  await store.record(entry([restriction("user:cat", "banned", now + 1_000)]));
  expect(await store.lift("user:cat", now + 1_000)).toBe(false); // it was over
});

test("an epoch grows by one for each revocation of that user's, and remembers the last one's time", async () => {
  const store = memoryStore();
  expect(await store.epoch("ann")).toBeUndefined();
  expect(await store.record(entry([]))).toBeUndefined();
  expect(await store.record(entry([], now, "ann"))).toBe(1);
  expect(await store.record(entry([], now + 5, "ann"))).toBe(2);
  expect(await store.record(entry([], now + 6, "bob"))).toBe(1);
  expect(await store.epoch("ann")).toEqual({ number: 2, revokedAt: now + 5 });
});

test("everybody who listens hears each entry, until they do not want to any more", async () => {
  const store = memoryStore();
  const heard: string[] = [];
  const off = store.subscribe(({ verdict }) => heard.push(`a ${verdict.id}`));
  store.subscribe(({ verdict }) => heard.push(`b ${verdict.id}`));
  const [one, two] = [entry([]), entry([])];
  await store.record(one);
  off();
  off();
  await store.record(two);
  expect(heard).toEqual([`a ${one.verdict.id}`, `b ${one.verdict.id}`, `b ${two.verdict.id}`]);
});

test("a listener that throws is reported, and neither makes a written decision fail nor keeps it from others", async () => {
  const report = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => report.mockRestore());
  const store = memoryStore();
  const heard: string[] = [];
  store.subscribe(() => {
    throw new Error("mine");
  });
  store.subscribe(({ verdict }) => heard.push(verdict.id));
  const ban = entry([restriction("user:ann", "banned")]);
  await store.record(ban);
  expect(await store.restrictions(["user:ann"], now)).toHaveLength(1);
  expect(heard).toEqual([ban.verdict.id]);
  expect(report.mock.calls).toEqual([[new Error("mine")]]);
});

describe("a budget", () => {
  afterEach(() => vi.useRealTimers());

  test("is each key's own, is used up, tells when there is more, and is there again", async () => {
    vi.useFakeTimers({ now, toFake: ["Date", "setTimeout", "clearTimeout"] });
    const store = memoryStore();
    const limit = { burst: 2, perMs: 10_000 };
    expect(await store.take(limit, "user:ann")).toBeUndefined();
    vi.advanceTimersByTime(4_000);
    expect(await store.take(limit, "user:ann")).toBeUndefined();
    expect(await store.take(limit, "user:ann")).toBe(6_000);
    expect(await store.take(limit, "user:bob")).toBeUndefined();
    expect(await store.take({ burst: 1, perMs: 10_000 }, "user:ann")).toBeUndefined(); // another limit
    vi.advanceTimersByTime(5_999);
    expect(await store.take(limit, "user:ann")).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await store.take(limit, "user:ann")).toBeUndefined();
    vi.advanceTimersByTime(20_000);
    expect(vi.getTimerCount()).toBe(0); // forgotten when over
  });
});

describe("what is over is not kept", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const heap = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const many = 100_000;
  const bytes = 5_000_000; // each of them kept would be at least 20 MB in all

  test("100,000 restrictions that end leave nothing behind", async () => {
    const store = memoryStore();
    const before = heap();
    for (let i = 0; i < many; i++) {
      const at = now + i * 100;
      const key = `user:${"x".repeat(100)}${i}`;
      await (i % 2 === 0
        ? store.record(entry([restriction(key, "kicked", at + 10_000)], at))
        : store.restrict(restriction(key, "kicked", at + 10_000, true), at));
    }
    expect(heap() - before).toBeLessThan(bytes);
    expect(await store.restrictions([`user:${"x".repeat(100)}${many - 1}`], now + many * 100)).toHaveLength(1);
  });

  test("100,000 users who have logged out leave nothing behind", async () => {
    const store = memoryStore({ rememberLoginsMs: 10_000 });
    const before = heap();
    for (let i = 0; i < many; i++) {
      const at = now + i * 100;
      const user = `${"x".repeat(100)}${i}`;
      const ruling = await store.login({
        user,
        session: user,
        device: user,
        label: undefined,
        max: 1,
        whenFull: "newest-wins",
        now: at,
      });
      if (ruling.admitted) await store.logout(user, user, ruling.generation, at);
    }
    expect(heap() - before).toBeLessThan(bytes);
  });

  test("100,000 sessions of one user who has logged out leave nothing behind", async () => {
    const store = memoryStore({ rememberLoginsMs: 10_000 });
    const before = heap();
    for (let i = 0; i < many; i++) {
      const at = now + i * 100;
      const session = `${"x".repeat(100)}${i}`;
      const ruling = await store.login({
        user: "u",
        session,
        device: session,
        label: undefined,
        max: 1,
        whenFull: "newest-wins",
        now: at,
      });
      if (ruling.admitted) await store.logout("u", session, ruling.generation, at);
    }
    expect(heap() - before).toBeLessThan(bytes);
  });
});

test.each<[object, string]>([
  [{ rememberLogins: 1 }, "options.rememberLogins: unknown; expected one of rememberLoginsMs"],
  [{ rememberLoginsMs: -1 }, "options.rememberLoginsMs: expected a number of at least 0, got -1"],
  [{ rememberLoginsMs: "1h" }, 'options.rememberLoginsMs: expected a number of at least 0, got "1h"'],
])("an option that is wrong is refused by its name: %j", (options, message) => {
  expect(() => memoryStore(options)).toThrow(message);
});
