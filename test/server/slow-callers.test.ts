import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type CallOptions, createClient, createContextValues, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { classify } from "../../src/index.js";
import { createCrowd } from "../../src/server/admission/crowd.js";
import { mayHaveMore } from "../../src/server/admission/share.js";
import {
  AdminService,
  type Awaitable,
  adminService,
  type Identity,
  memoryStore,
  type Store,
} from "../../src/server/index.js";
import { createPendingCalls } from "../../src/server/inside/pending.js";
import { whoIs } from "../../src/server/who/identity.js";
import { createFakeClock } from "../../src/testing/index.js";
import { openVenue, type Venue } from "./venue.js";

// An app's own code, or its store, may never answer for a newcomer.

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const never = () => new Promise<never>(() => {});
const unavailable = { reason: "maintenance", message: "temporarily unavailable" };

/** A store whose named method hangs as long as `hangs.on`. */
function hanging(method: keyof Store) {
  const inner = memoryStore();
  const hangs = { on: true };
  const ask = inner[method] as (...args: unknown[]) => unknown;
  return { hangs, store: { ...inner, [method]: (...args: unknown[]) => (hangs.on ? never() : ask(...args)) } };
}

/** What a unary call was answered: "handled", or what it was told. */
async function say(venue: Venue, identity: Identity, options: CallOptions = {}) {
  const chat = createClient(ChatService, venue.transport);
  try {
    await chat.say({}, { headers: venue.headerOf(identity), ...options });
    return "handled";
  } catch (error) {
    return classify({ error }, { now: venue.clock.now() }) ?? error;
  }
}

describe("an identify that never settles", () => {
  test("is waited for as long as the option says: then the caller is told to come again, and no timer is left", async () => {
    const venue = openVenue({ identifyTimeoutMs: 3_000, identified: never });
    const guest = venue.enter({ user: "ann" });
    const answer = say(venue, { user: "ann" });
    await venue.clock.advance(2_999);
    expect([guest.told, venue.clock.sleepers]).toEqual([undefined, 2]);
    await venue.clock.advance(1);
    expect(await guest.end).toMatchObject(unavailable);
    expect(await answer).toMatchObject(unavailable);
    expect(venue.failures).toEqual(Array(2).fill("identify failed: TooLateError: no answer within 3000 ms"));
    expect(venue.clock.sleepers).toBe(0);
  });

  test("is waited for for 10 s by default", async () => {
    const venue = openVenue({ identified: never });
    const guest = venue.enter({ user: "ann" });
    await venue.clock.advance(9_999);
    expect(guest.told).toBeUndefined();
    await venue.clock.advance(1);
    expect((await guest.end)?.reason).toBe("maintenance");
  });

  test("is not waited for when the client has left: nothing is kept for it, and nobody is accused", async () => {
    const venue = openVenue({ identified: never });
    const guest = venue.enter({ user: "ann" });
    const gone = new AbortController();
    const answer = say(venue, { user: "ann" }, { signal: gone.signal });
    await venue.clock.settle();
    guest.leave();
    gone.abort();
    await Promise.all([guest.end, answer]);
    await venue.clock.settle();
    const verdicts = await Promise.all(
      ["bob", "cat"].map(async (user) => {
        const selector = { user };
        await venue.bouncer.kick(selector);
        return new WeakRef(selector);
      }),
    );
    await venue.clock.settle();
    collectGarbage();
    expect(verdicts.filter((verdict) => verdict.deref() !== undefined)).toEqual([]);
    expect([venue.clock.sleepers, venue.failures]).toEqual([0, []]);
    expect(venue.bouncer.stats().refusals.maintenance).toBe(0);
  });

  test("that answers, or fails, too late changes nothing any more", async () => {
    const late: (() => void)[] = [];
    let asked = 0;
    const identify = () =>
      new Promise<Identity>((resolve, reject) => {
        const fails = asked++ > 0;
        late.push(() => (fails ? reject(new Error("too late")) : resolve({ user: "ann" })));
      });
    const venue = openVenue({ identify });
    const guests = [venue.enter({}), venue.enter({})];
    await venue.clock.advance(10_000);
    for (const answer of late) answer();
    await venue.clock.settle();
    expect(guests.map(({ told }) => told?.reason)).toEqual(["maintenance", "maintenance"]);
    expect(venue.bouncer.count()).toBe(0);
  });

  test("takes the room of its own address, not of others", () => {
    const crowd = createCrowd(10_000, createFakeClock());
    const all = Array.from({ length: 20_000 }, () => crowd.enter("192.0.2.1"));
    expect(all.filter((leave) => leave !== undefined)).toHaveLength(7_500);
    const second = Array.from({ length: 20_000 }, () => crowd.enter("192.0.2.2")).filter(Boolean);
    expect(second.length).toBeGreaterThan(1_800);
    for (let count = 0; count < 500; count++) expect(crowd.enter(`198.51.100.${count}`)).toBeDefined();
    for (const leave of all) leave?.();
    expect(crowd.enter("192.0.2.1")).toBeDefined();
  });

  test("keeps no more than 10,000 calls waiting, also where no address is known", async () => {
    const { bouncer, clock } = openVenue({ identify: never });
    const gone: AbortController[] = [];
    const request = { service: ChatService, method: ChatService.method.say, header: new Headers() };
    const handle = bouncer.interceptor(never); // without a transport, for there are so many
    const call = () => {
      const own = new AbortController();
      gone.push(own);
      return handle({ ...request, contextValues: createContextValues(), signal: own.signal } as never);
    };
    const waiting = Promise.allSettled(Array.from({ length: 10_000 }, call));
    const error = await call().catch((refused) => refused);
    const retryAt = new Date(clock.now() + 5_000);
    expect(classify({ error }, { now: clock.now() })).toMatchObject({ reason: "throttled", retryAt });
    for (const own of gone) own.abort();
    await waiting;
    expect(clock.sleepers).toBe(0);
  });
});

test("one who has more must leave more: what is left is shared fairly among two, and among a thousand", () => {
  const fill = (greedy: number, of: number): readonly number[] => {
    const has = Array.from({ length: greedy }, () => 0);
    let left = of;
    for (let round = 0; round < of; round++) {
      for (let index = 0; index < greedy; index++) {
        if (!mayHaveMore(has[index] ?? 0, left)) continue;
        has[index] = (has[index] ?? 0) + 1;
        left--;
      }
    }
    return [...new Set(has), left];
  };
  expect(fill(1, 1_000)).toEqual([750, 250]);
  expect(fill(2, 1_000)).toEqual([429, 428, 143]);
  expect(fill(1_000, 10_000)).toEqual([10, 9, 4]);
  expect(fill(1_000, 100)).toEqual([1, 0, 0]); // not enough for each: who comes first
});

describe("a store that hangs", () => {
  test.each(["restrictions", "epoch", "login", "take"] as const)(
    "when it is asked for a newcomer (%s) is waited for for identifyTimeoutMs, and lets nobody in",
    async (method) => {
      const { hangs, store } = hanging(method);
      const venue = openVenue({
        store,
        identifyTimeoutMs: 2_000,
        logins: { max: 1 },
        rateLimits: { perUser: { burst: 99, perMs: 1_000 } },
      });
      const guest = venue.enter({ user: "ann", session: "s1" });
      await venue.clock.advance(2_000);
      expect(await guest.end).toMatchObject(unavailable);
      expect(venue.failures).toEqual(["the store failed at the door: TooLateError: no answer within 2000 ms"]);
      expect([venue.bouncer.count(), venue.clock.sleepers]).toEqual([0, 0]);
      hangs.on = false;
      const next = venue.enter({ user: "ann", session: "s1" });
      await venue.clock.settle();
      expect(next.entered).toBe(true);
    },
  );

  test("when something is to be forgotten that is said once, does not let in", async () => {
    const { store } = hanging("consume");
    const venue = openVenue({ store });
    await store.restrict(
      { key: "user:ann", verdict: "v", words: { reason: "kicked" } as never, until: undefined, once: true },
      venue.clock.now(),
    );
    const guest = venue.enter({ user: "ann" });
    await venue.clock.advance(10_000);
    expect(await guest.end).toMatchObject(unavailable);
  });

  test("and takes down a login after all, when its client was refused, does not hold the place", async () => {
    const inner = memoryStore();
    const answers: (() => void)[] = [];
    const store: Store = {
      ...inner,
      login: async (request) => {
        await new Promise<void>((resolve) => answers.push(resolve));
        return await inner.login(request);
      },
    };
    const venue = openVenue({ store, logins: { max: 1, whenFull: "oldest-wins" } });
    const slow = venue.enter({ user: "ann", session: "s1", device: "d1" });
    await venue.clock.advance(10_000);
    expect((await slow.end)?.reason).toBe("maintenance");
    answers[0]?.();
    await venue.clock.settle();
    const next = venue.enter({ user: "ann", session: "s2", device: "d2" });
    await venue.clock.settle();
    answers[1]?.();
    await venue.clock.settle();
    expect([next.entered, next.told]).toEqual([true, undefined]);
  });
});

test("an authorize that never settles refuses in time, and is told of", async () => {
  const venue = openVenue({ identifyTimeoutMs: 2_000 });
  const transport = createRouterTransport((router) =>
    router.service(AdminService, adminService(venue.bouncer, { authorize: never })),
  );
  const refused = createClient(AdminService, transport)
    .list({})
    .catch((error) => error);
  await venue.clock.advance(2_000);
  expect(String(await refused)).toContain("not authorized");
  expect(venue.failures).toEqual(["authorize failed for List: TooLateError: no answer within 2000 ms"]);
});

test("an addressOf that never settles is waited for as long, and refuses", async () => {
  const rateLimits = { perAddress: { burst: 1, perMs: 60_000 } };
  const venue = openVenue({ addressOf: never, rateLimits, identifyTimeoutMs: 2_000 });
  const guest = venue.enter({});
  await venue.clock.advance(2_000);
  expect(await guest.end).toMatchObject(unavailable);
  expect(venue.failures).toEqual(["addressOf failed: TooLateError: no answer within 2000 ms"]);
  const gone = venue.enter({});
  await venue.clock.settle();
  gone.leave();
  await gone.end;
  await venue.clock.settle();
  expect([venue.clock.sleepers, venue.failures.length]).toEqual([0, 1]);
});

describe("what is remembered for who is on the way in", () => {
  const who = whoIs({ user: "ann" }, { header: new Headers() });
  const kick = (user: string) => ({
    id: user,
    at: new Date(0),
    selector: { user },
    words: { reason: "kicked" as const, code: undefined },
    by: undefined,
    note: undefined,
  });

  test("is bounded in number: who may have missed one of those that are forgotten is not let in", async () => {
    const pending = createPendingCalls();
    const early = pending.enter();
    pending.note(kick("ann"));
    for (let count = 0; count < 9_999; count++) pending.note(kick("bob"));
    expect([early.overtaken, early.missed(who, "x")?.id]).toEqual([false, "ann"]);
    pending.note(kick("bob"));
    const late = pending.enter();
    expect([early.overtaken, late.overtaken]).toEqual([true, false]);
    pending.note(kick("ann"));
    expect(late.missed(who, "x")?.id).toBe("ann");
  });

  test("is bounded in number at the door: the call is told to come again", async () => {
    let identify: (identity: Identity) => void = () => {};
    const venue = openVenue({
      identify: () =>
        new Promise((resolve) => {
          identify = resolve;
        }),
    });
    const stream = venue.enter({});
    await venue.clock.settle();
    const forStream = identify;
    const answer = say(venue, {});
    await venue.clock.settle();
    for (let count = 0; count < 10_001; count++) await venue.bouncer.kick({ user: "bob" });
    forStream({ user: "ann" });
    identify({ user: "ann" });
    expect(await stream.end).toMatchObject(unavailable);
    expect(await answer).toMatchObject(unavailable);
  });

  test("is not looked through for each who leaves: a verdict costs the same, however many there were", () => {
    const pending = createPendingCalls();
    pending.enter(); // never leaves
    for (let count = 0; count < 300_000; count++) pending.note(kick("bob"));
    const late = pending.enter();
    expect(late.missed(who, "x")).toBeUndefined();
  });
});

describe("a unary call that is on its way in", () => {
  /** A venue whose `restrictions` and `epoch` are answered as of when they were asked, but only when `answer` is called. */
  function openSlow() {
    const inner = memoryStore();
    const answers: (() => void)[] = [];
    const held = { on: false };
    const slowly =
      <A extends unknown[], R>(ask: (...args: A) => Awaitable<R>) =>
      async (...args: A): Promise<R> => {
        const answer = await ask(...args);
        if (held.on) await new Promise<void>((resolve) => answers.push(resolve));
        return answer;
      };
    const store: Store = { ...inner, restrictions: slowly(inner.restrictions), epoch: slowly(inner.epoch) };
    const handled: string[] = [];
    const venue = openVenue({
      store,
      say: () => {
        handled.push("handled");
        return { id: 1 };
      },
    });
    const answer = async (holdNext = false) => {
      held.on = holdNext;
      for (const each of answers.splice(0)) each();
      await venue.clock.settle();
    };
    return { venue, held, answer, handled };
  }

  test.each(["kick", "ban", "supersede", "revoke"] as const)(
    "while its user is put out (%s) is not handled, whatever the store had answered before",
    async (verdict) => {
      const { venue, held, answer, handled } = openSlow();
      held.on = true;
      const told = say(venue, { user: "ann", epoch: 0 });
      await venue.clock.settle();
      await answer(true); // the restrictions; its epoch is on the way
      await (verdict === "revoke" ? venue.bouncer.revoke("ann") : venue.bouncer[verdict]({ user: "ann" }));
      await answer();
      const reasons = { kick: "kicked", ban: "banned", supersede: "superseded", revoke: "unauthenticated" } as const;
      expect(await told).toMatchObject({ reason: reasons[verdict] });
      expect(handled).toEqual([]);
    },
  );

  test("with a fresh token is handled, though older ones were revoked meanwhile", async () => {
    const { venue, held, answer } = openSlow();
    held.on = true;
    const told = say(venue, { user: "ann", epoch: 1 });
    await venue.clock.settle();
    await venue.bouncer.revoke("ann");
    await answer();
    await answer();
    expect(await told).toBe("handled");
  });

  test("is looked at once where nothing was decided about its user", async () => {
    let asked = 0;
    const inner = memoryStore();
    const store: Store = {
      ...inner,
      restrictions: (...args) => {
        asked++;
        return inner.restrictions(...args);
      },
    };
    const venue = openVenue({ store, identified: () => venue.bouncer.ban({ user: "bob" }) });
    expect(await say(venue, { user: "ann" })).toBe("handled");
    expect(asked).toBe(1);
  });
});
