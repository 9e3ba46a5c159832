import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { type LoginRequest, type LoginResult, memoryStore, type Store } from "../../src/server/index.js";

// Who has a place among a user's logins, as memoryStore rules.

let store: Store;
let now: number;
let streams: Map<string, number[]>; // the generations of each session's streams

beforeEach(() => {
  store = memoryStore();
  now = Date.UTC(2030, 0, 1);
  streams = new Map();
});

const claim = (session: string, more: Partial<LoginRequest> = {}): LoginRequest => ({
  user: "ann",
  session,
  device: session,
  label: `label of ${session}`,
  max: 1,
  whenFull: "newest-wins",
  now,
  ...more,
});

async function login(session: string, more?: Partial<LoginRequest>): Promise<LoginResult> {
  const ruling = await store.login(claim(session, more));
  if (ruling.admitted) streams.set(session, [...(streams.get(session) ?? []), ruling.generation]);
  return ruling;
}

/** One stream of a session ends. */
async function logout(session: string): Promise<void> {
  const generation = streams.get(session)?.shift();
  if (generation !== undefined) await store.logout("ann", session, generation, now);
}

const admitted = (...losers: string[]) => expect.objectContaining({ admitted: true, losers });
const refused = (session: string) => ({ admitted: false, by: `label of ${session}` });

describe("where the newest wins", () => {
  test("the one before loses its place", async () => {
    expect(await login("s1")).toEqual(admitted());
    expect(await login("s2")).toEqual(admitted("s1"));
  });

  test("the loser does not take it back, neither by another stream nor after it was away", async () => {
    await login("s1");
    await login("s2");
    expect(await login("s1")).toEqual(refused("s2"));
    await logout("s1");
    now += 60_000;
    expect(await login("s1")).toEqual(refused("s2"));
  });

  test("who was away when it lost its place does not take it back", async () => {
    await login("s1");
    await logout("s1");
    expect(await login("s2")).toEqual(admitted());
    expect(await login("s1")).toEqual(refused("s2"));
  });

  test("the loser may come back when the winner has left", async () => {
    await login("s1");
    await login("s2");
    await logout("s1");
    await logout("s2");
    expect(await login("s1")).toEqual(admitted());
  });

  test("more streams of one session are one login", async () => {
    await login("s1");
    expect(await login("s1")).toEqual(admitted());
    await logout("s1");
    expect(await login("s2")).toEqual(admitted("s1")); // one stream of it is still there
  });

  test("all sessions of the device that loses lose", async () => {
    await login("s1", { device: "phone" });
    await login("s2", { device: "phone" });
    expect(await login("s3", { device: "laptop" })).toEqual(admitted("s1", "s2"));
  });

  test("other users are other users", async () => {
    await login("s1");
    expect(await store.login(claim("s2", { user: "bob" }))).toEqual(admitted());
  });

  test("of three devices that may be inside, the fourth puts out the one that came first", async () => {
    for (const session of ["s1", "s2", "s3"]) expect(await login(session, { max: 3 })).toEqual(admitted());
    expect(await login("s4", { max: 3 })).toEqual(admitted("s1"));
    expect(await login("s1", { max: 3 })).toEqual(refused("s4"));
  });
});

describe("where the oldest wins", () => {
  const oldest = { whenFull: "oldest-wins" } as const;

  test("the newcomer is refused in the name of who is inside, until that has left", async () => {
    expect(await login("s1", oldest)).toEqual(admitted());
    expect(await login("s2", oldest)).toEqual(refused("s1"));
    await logout("s1");
    expect(await login("s2", oldest)).toEqual(admitted());
    expect(await login("s1", oldest)).toEqual(refused("s2"));
  });

  test("who is refused takes no place", async () => {
    await login("s1", oldest);
    await login("s2", oldest);
    await logout("s1");
    expect(await login("s3", oldest)).toEqual(admitted());
  });

  test("so many devices as may be are let in", async () => {
    for (const session of ["s1", "s2"]) expect(await login(session, { ...oldest, max: 2 })).toEqual(admitted());
    expect(await login("s3", { ...oldest, max: 2 })).toEqual(refused("s1"));
    expect(await login("s2", { ...oldest, max: 2 })).toEqual(admitted());
  });

  test("a new login on a device that is inside is let in", async () => {
    await login("s1", { ...oldest, device: "phone" });
    expect(await login("s2", { ...oldest, device: "phone" })).toEqual(admitted());
  });
});

describe.each(["newest-wins", "oldest-wins"] as const)("with %s", (whenFull) => {
  test("the same device after a network change is no second login, while the ghost is still there", async () => {
    await login("s1", { whenFull, device: "phone" });
    expect(await login("s1", { whenFull, device: "phone" })).toEqual(admitted()); // the same session
    expect(await login("s2", { whenFull, device: "phone" })).toEqual(admitted()); // or a new one
    await logout("s1"); // the ghost goes, at last
    expect(await login("s3", { whenFull, device: "phone" })).toEqual(admitted());
  });

  test("an old teardown does not remove a new registration", async () => {
    store = memoryStore({ rememberLoginsMs: 60_000 });
    const old = await login("s1", { whenFull });
    await logout("s1");
    now += 60_000; // it is forgotten meanwhile
    const fresh = await login("s1", { whenFull });
    if (!old.admitted || !fresh.admitted) throw new Error("both are to be let in");
    expect(fresh.generation).toBeGreaterThan(old.generation);
    await store.logout("ann", "s1", old.generation, now);
    const rival = await login("s2", { whenFull });
    expect(rival).toEqual(whenFull === "newest-wins" ? admitted("s1") : refused("s1"));
  });

  test("teardowns that come twice, or of nobody, do no harm", async () => {
    const ruling = await login("s1", { whenFull });
    if (!ruling.admitted) throw new Error("it is to be let in");
    for (let i = 0; i < 3; i++) await store.logout("ann", "s1", ruling.generation, now);
    await store.logout("eve", "s1", ruling.generation, now);
    expect(await login("s1", { whenFull })).toEqual(admitted());
    expect(await login("s2", { whenFull })).toEqual(whenFull === "newest-wins" ? admitted("s1") : refused("s1"));
  });

  test("never more devices than may be are inside, whatever happens in whichever order", async () => {
    const step = fc.record({
      session: fc.constantFrom("a1", "a2", "b1", "b2", "c1", "d1"), // the letter is the device
      leaves: fc.boolean(),
      passes: fc.constantFrom(0, 1_000, 100_000_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), async (steps, max) => {
        store = memoryStore();
        streams = new Map();
        for (const { session, leaves, passes } of steps) {
          now += passes;
          const device = session[0] as string;
          const inside = () => new Set([...streams].flatMap(([name, { length }]) => (length > 0 ? [name[0]] : [])));
          if (leaves) await logout(session);
          else {
            const before = inside();
            const ruling = await login(session, { device, max, whenFull });
            if (!ruling.admitted) {
              expect(before.size).toBe(max); // only for want of a place
              expect(inside()).toEqual(before);
            }
            for (const loser of ruling.admitted ? ruling.losers : []) {
              expect(loser[0]).not.toBe(device); // nobody puts itself out
              while (streams.get(loser)?.length) await logout(loser);
            }
          }
          expect(inside().size).toBeLessThanOrEqual(max);
        }
      }),
      { numRuns: 300 },
    );
  });
});

test("a client that knocks for hours with a session that has lost never puts out the winner", async () => {
  await login("s1");
  await login("s2");
  await logout("s1");
  for (let hour = 0; hour < 100; hour++) {
    now += 3_600_000;
    expect(await login("s1")).toEqual(refused("s2"));
  }
});
