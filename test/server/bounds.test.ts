import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { type Entry, memoryStore, type Restriction, type Words } from "../../src/server/index.js";
import { createNews } from "../../src/server/services/news.js";
import { openVenue } from "./venue.js";

// Nobody fills the memory with names: of addresses, of users, of sessions.

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const heap = () => {
  collectGarbage();
  return process.memoryUsage().heapUsed;
};
const now = Date.UTC(2030, 0, 1);
const words: Words = { reason: "superseded", by: undefined };

const reminder = (key: string, user: string | undefined, once = false): Restriction => ({
  key,
  verdict: key,
  words,
  until: now + 600_000,
  once,
  reminds: { user },
});
const entry = (restrictions: readonly Restriction[]): Entry => ({
  verdict: { id: "v", at: new Date(now), selector: { all: true }, words, by: undefined, note: undefined },
  restrictions,
  revokes: undefined,
  mode: "tell",
  forceAfterMs: 5_000,
  everywhere: true,
  origin: "here",
});

describe("one user with a fresh session for each stream", () => {
  test("costs no more for ten thousand of them than for a hundred, where logins are limited", async () => {
    const store = memoryStore();
    const before = heap();
    for (let count = 0; count < 10_000; count++) {
      const session = `${"x".repeat(1_000)}${count}`;
      const request = { user: "eve", session, device: session, label: undefined, max: 1, now } as const;
      const result = await store.login({ ...request, whenFull: "newest-wins" });
      await store.record(entry([reminder(`claim:${session}`, "eve")])); // the one before is superseded
      if (result.admitted) await store.logout("eve", session, result.generation, now);
    }
    expect(heap() - before).toBeLessThan(5_000_000); // each of them kept would be at least 20 MB in all
    const keys = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => `claim:${"x".repeat(1_000)}${from + index}`);
    expect(await store.restrictions(keys(9_900, 10_000), now)).toHaveLength(100);
    expect(await store.restrictions(keys(9_000, 9_900), now)).toHaveLength(0);
  });

  test("is reminded of the latest hundred verdicts, whatever became of the others", async () => {
    const store = memoryStore();
    await store.record(entry([{ ...reminder("user:eve", "eve"), words: { reason: "banned" }, reminds: undefined }]));
    await store.record(entry([reminder("claim:bob", "bob")]));
    await store.restrict(reminder("claim:1", "eve", true), now);
    const [spent] = await store.restrictions(["claim:1"], now);
    if (spent) await store.consume(spent);
    for (let count = 2; count <= 101; count++) await store.restrict(reminder(`claim:${count}`, "eve"), now);
    await store.restrict(reminder("claim:101", "eve"), now); // replaces the one before
    expect(await store.restrictions(["claim:2"], now)).toHaveLength(1);
    await store.restrict(reminder("claim:102", "eve"), now);
    expect(await store.restrictions(["claim:2"], now)).toHaveLength(0);
    expect(await store.restrictions(["claim:3", "user:eve", "claim:bob"], now)).toHaveLength(3);
  });

  test("takes no room of others who are away", async () => {
    const venue = openVenue();
    const bob = venue.enter({ user: "bob", session: "bob-1" });
    await venue.clock.settle();
    bob.leave();
    await venue.clock.settle();
    for (let round = 0; round < 3; round++) {
      const guests = Array.from({ length: 50 }, (_, index) =>
        venue.enter({ user: "eve", session: `eve-${round}-${index}` }),
      );
      await venue.clock.settle();
      for (const { leave } of guests) leave();
      await venue.clock.settle();
    }
    const options = { holdMs: 60_000, dryRun: true };
    expect(await venue.bouncer.kick({ user: "eve" }, {}, options)).toMatchObject({ matched: 100 });
    expect(await venue.bouncer.kick({ session: "eve-2-49" }, {}, options)).toMatchObject({ matched: 1 });
    expect(await venue.bouncer.kick({ session: "eve-0-0" }, {}, options)).toMatchObject({ matched: 0 });
    expect(await venue.bouncer.kick({ user: "bob" }, {}, options)).toMatchObject({ matched: 1 });
  });
});

test("guests are reminded of the latest ten thousand verdicts together", async () => {
  const store = memoryStore();
  for (let count = 0; count <= 10_000; count++) await store.restrict(reminder(`session:${count}`, undefined), now);
  expect(await store.restrictions(["session:0"], now)).toHaveLength(0);
  expect(await store.restrictions(["session:1", "session:10000"], now)).toHaveLength(2);
});

test("a hundred thousand users who have left keep their places in the order of logins, and no more than that", async () => {
  const store = memoryStore();
  const login = async (user: string) => {
    const request = {
      user,
      session: "s",
      device: "d",
      label: undefined,
      max: 1,
      whenFull: "newest-wins",
      now,
    } as const;
    const result = await store.login(request);
    if (!result.admitted) throw new Error("not let in");
    return result.generation;
  };
  const visit = async (user: string) => {
    const generation = await login(user);
    await store.logout(user, "s", generation, now);
    return generation;
  };
  const inside = await login("inside");
  const first = await visit("first");
  for (let count = 0; count < 49_000; count++) await visit(`u${count}`);
  expect(await visit("first")).toBe(first);
  for (let count = 0; count < 100_000; count++) await visit(`v${count}`);
  expect(await visit("first")).toBeGreaterThan(first);
  expect(await login("inside")).toBe(inside); // who is inside is not forgotten
});

test("budgets are kept for 100,000 addresses: a million push out who came least lately, and that only forgives", async () => {
  const { take } = memoryStore();
  const limit = { burst: 1, perMs: 3_600_000 };
  await take(limit, "first");
  await take(limit, "second");
  expect(await take(limit, "first")).toBeGreaterThan(0);
  for (let count = 0; count < 49_000; count++) await take(limit, `2001:db8:0:${count}::/64`);
  expect(await take(limit, "first")).toBeGreaterThan(0); // it came lately
  for (let count = 0; count < 49_000; count++) await take(limit, `2001:db8:1:${count}::/64`);
  expect(await take(limit, "first")).toBeGreaterThan(0);
  for (let count = 0; count < 5_000; count++) await take(limit, `2001:db8:2:${count}::/64`);
  expect(await take(limit, "second")).toBeUndefined();
});

test("a reader that takes nothing is told the latest hundred when it takes again", () => {
  const news = createNews<number>();
  for (let count = 0; count < 1_000; count++) news.tell(count);
  const taken: number[] = [];
  for (let item = news.take(); item !== undefined; item = news.take()) taken.push(item);
  expect(taken).toEqual(Array.from({ length: 100 }, (_, index) => 900 + index));
});
