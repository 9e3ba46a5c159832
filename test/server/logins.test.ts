import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type Session } from "../../src/index.js";
import { type Awaitable, type Identity, memoryStore, type Store } from "../../src/server/index.js";
import { collect, listen } from "../in-memory.js";
import { createFakeStream } from "./fake-stream.js";
import { openVenue, type Venue } from "./venue.js";

const hours = 3_600_000;

/** A farewell session that counts how often its client knocks. */
function openTab({ transport, clock, headerOf }: Venue, identity: Identity) {
  let attempts = 0;
  const header = headerOf(identity);
  const withIdentity: typeof transport = {
    unary: transport.unary,
    stream(method, signal, timeoutMs, _, ...rest) {
      attempts++;
      return transport.stream(method, signal, timeoutMs, header, ...rest);
    },
  };
  const session: Session = createSession(withIdentity, { clock });
  const { end } = collect(createClient(ChatService, session).subscribe({}));
  return { session, end, attempts: () => attempts, ...listen(session) };
}

describe("two tabs of one user, of which one may be inside", () => {
  test("do not put each other out for ever: the loser does not knock again", async () => {
    const venue = openVenue({ logins: { max: 1 } });
    const first = openTab(venue, { user: "ann", session: "tab-1", label: "Firefox" });
    await venue.clock.settle();
    const second = openTab(venue, { user: "ann", session: "tab-2", label: "iPad" });
    await venue.clock.settle();
    expect(first.lines.slice(-3)).toEqual([
      "superseded: signed in elsewhere",
      "ended: superseded: signed in elsewhere",
      "streamEnded: 1 stopped",
    ]);
    expect(first.events.find(([type]) => type === "superseded")?.[1]).toMatchObject({ by: "iPad" });
    await venue.clock.advance(6 * hours);
    expect([first.attempts(), second.attempts()]).toEqual([1, 1]);
    expect(second.lines).toEqual(["connected", "streamOpened: 1"]);
    expect(venue.bouncer.list().map(({ session }) => session)).toEqual(["tab-2"]);
    for (const { session } of [first, second]) session.close();
    await venue.clock.settle();
    expect(venue.clock.sleepers).toBe(0);
  });

  test("where the oldest wins: the newcomer does not knock again either", async () => {
    const venue = openVenue({ logins: { max: 1, whenFull: "oldest-wins" } });
    const first = openTab(venue, { user: "ann", session: "tab-1", label: "Firefox" });
    await venue.clock.settle();
    const second = openTab(venue, { user: "ann", session: "tab-2" });
    await venue.clock.advance(6 * hours);
    expect([first.attempts(), second.attempts()]).toEqual([1, 1]);
    expect(second.events.find(([type]) => type === "superseded")?.[1]).toMatchObject({ by: "Firefox" });
    expect(venue.bouncer.list().map(({ session }) => session)).toEqual(["tab-1"]);
    for (const { session } of [first, second]) session.close();
  });

  test("a client that does not listen and knocks for hours never puts out the winner", async () => {
    const { bouncer, clock, enter } = openVenue({ logins: { max: 1 } });
    const dumb = { user: "ann", session: "tab-1" };
    const first = enter(dumb);
    await clock.settle();
    const winner = enter({ user: "ann", session: "tab-2" });
    expect((await first.end)?.reason).toBe("superseded");
    for (let minute = 0; minute < 5 * 60; minute += 4) {
      await clock.advance(4 * 60_000);
      expect((await Promise.race([enter(dumb).end, winner.end]))?.reason).toBe("superseded");
      expect(winner.told).toBeUndefined();
    }
    expect(bouncer.list().map(({ session }) => session)).toEqual(["tab-2"]);
  });

  test("a loser whose stream is still on its way out gets in by no other", async () => {
    const { bouncer, clock, enter } = openVenue({ logins: { max: 1 } });
    const slow = createFakeStream(); // its client does not read, so that it is not gone yet
    const dumb = { user: "ann", session: "tab-1" };
    enter({ ...dumb, below: slow });
    await clock.settle();
    const winner = enter({ user: "ann", session: "tab-2" });
    await clock.settle();
    const again = enter(dumb);
    await clock.settle();
    expect(again.told?.reason).toBe("superseded");
    slow.finish();
    await clock.advance(60_000);
    expect([winner.entered, winner.told]).toEqual([true, undefined]);
    expect(bouncer.list().map(({ session }) => session)).toEqual(["tab-2"]);
  });

  test("count, even if they tell no session and have none", async () => {
    const { bouncer, clock, enter } = openVenue({ logins: { max: 1 } });
    const first = enter({ user: "ann" });
    await clock.settle();
    const second = enter({ user: "ann" });
    await clock.settle();
    expect([first.told?.reason, second.told?.reason]).toEqual(["superseded", undefined]);
    expect(bouncer.count()).toBe(1);
  });

  test("that come at the same time: one stays", async () => {
    const { bouncer, clock, enter } = openVenue({ logins: { max: 1 } });
    const tabs = Array.from({ length: 8 }, (_, index) => enter({ user: "ann", session: `tab-${index}` }));
    await clock.settle();
    expect(tabs.filter(({ told }) => told?.reason === "superseded")).toHaveLength(7);
    expect(bouncer.count()).toBe(1);
  });
});

describe.each(["newest-wins", "oldest-wins"] as const)("a ghost, where logins are limited (%s),", (whenFull) => {
  const logins = { max: 1, whenFull };

  test("of the same device after a network change is no second login", async () => {
    const { bouncer, clock, enter } = openVenue({ logins });
    const ghost = createFakeStream("192.0.2.1");
    const phone = { user: "ann", session: "s1", device: "phone" };
    const before = enter({ ...phone, below: ghost });
    await clock.settle();
    const after = enter({ ...phone, below: createFakeStream("198.51.100.7") });
    const newLogin = enter({ ...phone, session: "s2", below: createFakeStream("198.51.100.7") });
    await clock.settle();
    expect([before, after, newLogin].map(({ entered, told }) => [entered, told])).toEqual(
      Array(3).fill([true, undefined]),
    );
    ghost.vanish();
    await clock.settle();
    expect(bouncer.count({ user: "ann" })).toBe(2);
    const rival = enter({ user: "ann", session: "s3", device: "laptop" });
    await clock.settle();
    expect(rival.told?.reason).toBe(whenFull === "newest-wins" ? undefined : "superseded");
  });

  test("that goes late does not take its successor's place away", async () => {
    const { bouncer, clock, enter } = openVenue({ logins });
    const ghost = createFakeStream();
    enter({ user: "ann", session: "s1", below: ghost });
    await clock.settle();
    const successor = enter({ user: "ann", session: "s1" });
    await clock.settle();
    ghost.vanish();
    await clock.settle();
    expect(bouncer.count({ session: "s1" })).toBe(1);
    const rival = enter({ user: "ann", session: "s2" });
    await clock.settle();
    const [winner, loser] = whenFull === "newest-wins" ? [rival, successor] : [successor, rival];
    expect([winner.told, loser.told?.reason]).toEqual([undefined, "superseded"]);
  });

  test("that was gone before it was let in holds no place", async () => {
    const below = createFakeStream();
    let vanish = () => below.vanish(); // while it is being found out who calls
    const { bouncer, clock, enter } = openVenue({ logins, identified: async () => vanish() });
    enter({ user: "ann", session: "s1", below });
    await clock.settle();
    vanish = () => {};
    expect(bouncer.count()).toBe(0);
    const next = enter({ user: "ann", session: "s2" });
    await clock.settle();
    expect([next.entered, next.told?.reason]).toEqual([true, undefined]);
    expect(bouncer.stats().verdicts.superseded).toBe(0); // there was nobody to put out
  });

  test("that was gone while it got its place gives it back", async () => {
    const below = createFakeStream();
    const inner = memoryStore();
    let vanish = () => below.vanish();
    const login: Store["login"] = (claim) => {
      vanish();
      return slowly(inner.login(claim));
    };
    const { clock, enter } = openVenue({ logins, store: { ...inner, login } });
    enter({ user: "ann", session: "s1", below });
    await clock.settle();
    vanish = () => {};
    const next = enter({ user: "ann", session: "s2" });
    await clock.settle();
    expect([next.entered, next.told?.reason]).toEqual([true, undefined]);
  });
});

async function slowly<T>(answer: Awaitable<T>): Promise<T> {
  await new Promise((resolve) => setImmediate(resolve));
  return answer;
}

test("a client that was refused after it got its place gives it back", async () => {
  const inner = memoryStore();
  let meanwhile = () => {};
  const { bouncer, clock, enter } = openVenue({
    logins: { max: 1, whenFull: "oldest-wins" },
    store: {
      ...inner,
      login(claim) {
        meanwhile();
        return slowly(inner.login(claim));
      },
    },
  });
  meanwhile = () => {
    meanwhile = () => {};
    void bouncer.kick({ user: "ann" });
  };
  const released: unknown[] = [];
  bouncer.onRelease((stream) => released.push(stream));
  expect((await enter({ user: "ann", session: "s1" }).end)?.reason).toBe("kicked");
  expect([released, bouncer.stats().admitted]).toEqual([[], 0]); // it never was inside
  const next = enter({ user: "ann", session: "s2" });
  await clock.settle();
  expect([next.entered, next.told]).toEqual([true, undefined]);
});
