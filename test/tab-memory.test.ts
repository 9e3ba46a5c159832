import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { browser, tabMemory } from "../src/browser/index.js";
import { createClient, createSession, disconnectOf, type Session, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, cutting, type InMemoryServer, listen } from "./in-memory.js";
import { type FakeBrowser, stubBrowser } from "./tabs.js";

let clock: FakeClock;
let server: InMemoryServer;
let fake: FakeBrowser;
let sessions: Session[] = [];
const errors: unknown[] = [];

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  fake = stubBrowser();
  sessions = [];
  errors.length = 0;
});

afterEach(async () => {
  for (const session of sessions) session.close();
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(server.live).toBe(0);
  expect(fake.locks).toEqual([]);
  expect(errors).toEqual([]);
  vi.unstubAllGlobals();
});

const quick = { policies: { network: { initialMs: 1_000, jitter: "none" } } } as const;

/** A tab, or the next page in one. */
function open(options: SessionOptions & { readonly account?: string } = {}, transport = server.transport) {
  const { account = "anna@example.com", ...others } = options;
  const reportError = (error: unknown) => errors.push(error);
  const memory = tabMemory({ account, reportError });
  const session = createSession(transport, { clock, reportError, extensions: [memory], ...quick, ...others });
  sessions.push(session);
  const chat = createClient(ChatService, session);
  return { session, chat, ...listen(session), subscribe: () => collect(chat.subscribe({ room: "lobby" })) };
}

function served(n: number) {
  const stream = server.streams[n];
  if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
  return stream;
}

const unavailable = () => new ConnectError("down", Code.Unavailable);
const until = new Date(Date.UTC(2030, 0, 2));
const banned = () => toConnectError({ reason: "banned", until, code: "cheating", message: "No cheating" });
const kicked = () => toConnectError({ reason: "kicked", code: "afk", message: "Idle" });

describe("a ban", () => {
  test("outlives a reload without a request, is told again, and ends when its time is over", async () => {
    const { subscribe } = open();
    const { end } = subscribe();
    await clock.settle();
    served(0).end(banned());
    await end;
    for (let reload = 0; reload < 5; reload++) {
      const page = open();
      const error = await page.subscribe().end;
      expect(disconnectOf(error)).toMatchObject({ reason: "banned", until, code: "cheating", said: true });
      expect(error).toMatchObject({ code: Code.PermissionDenied, rawMessage: "No cheating" });
      await expect(page.chat.say({ text: "?" })).rejects.toBe(error);
      expect(page.lines).toEqual(["banned: No cheating", "ended: banned: No cheating (remembered)"]);
    }
    expect(server.streams).toHaveLength(1);
    await clock.advance(until.getTime() - clock.now());
    open().subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(2);
  });

  test("reaches every tab at once, those that have streams and those that have not", async () => {
    const [first, second, idle] = [open(), open(), open()];
    first.subscribe();
    const { end } = second.subscribe();
    await clock.settle();
    served(0).end(banned());
    await clock.settle();
    expect(disconnectOf(await end)?.reason).toBe("banned");
    expect(second.lines.slice(-3).map((line) => line.split(":")[0])).toEqual(["banned", "ended", "streamEnded"]);
    await expect(idle.subscribe().end).resolves.toMatchObject({ code: Code.PermissionDenied });
    expect(server.streams).toHaveLength(2);
  });

  test("holds for its account alone, and its name is not stored", async () => {
    open().subscribe();
    await clock.settle();
    served(0).end(banned());
    await clock.settle();
    open({ account: "bela@example.com" }).subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(2);
    expect(JSON.stringify([...fake.stored])).not.toContain("anna");
  });

  test("outlives the session that heard of it, and a tab that ended for another reason", async () => {
    const [loser, page] = [open(), open()];
    const ends = [loser.subscribe().end, page.subscribe().end];
    await clock.settle();
    served(0).end(toConnectError({ reason: "superseded" }));
    await clock.settle();
    served(1).end(banned());
    await Promise.all(ends);
    loser.session.restart();
    loser.session.close();
    page.session.close();
    await open().subscribe().end;
    expect(server.streams).toHaveLength(2);
  });

  test("is not lost if another tab is cut at the same moment", async () => {
    const late = new Map<string, string>(); // storage that reaches the other tab later
    vi.stubGlobal("BroadcastChannel", undefined);
    vi.stubGlobal("localStorage", { getItem: () => null, setItem: (key: string, text: string) => late.set(key, text) });
    const [first, second] = [open(), open()];
    for (const page of [first, second]) page.subscribe();
    await clock.settle();
    served(0).end(banned());
    served(1).end(unavailable());
    await clock.settle();
    vi.stubGlobal("localStorage", { getItem: (key: string) => late.get(key) ?? null, setItem() {} });
    await open().subscribe().end;
    expect(server.streams).toHaveLength(2);
  });

  test("that the clock has made for later does not count", async () => {
    const { now } = clock;
    open().subscribe();
    await clock.settle();
    Object.assign(clock, { now: () => now() + 365 * 86_400_000 });
    served(0).end(kicked());
    await clock.settle();
    Object.assign(clock, { now });
    open().subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(2);
  });

  test("is lifted by restart, here and for the next page", async () => {
    const page = open();
    page.subscribe();
    await clock.settle();
    served(0).end(banned());
    await clock.settle();
    page.session.restart();
    page.subscribe();
    open().subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(3);
  });

  test("for good is asked about again after a day", async () => {
    open().subscribe();
    await clock.settle();
    served(0).end(toConnectError({ reason: "banned" }));
    await clock.advance(86_399_999);
    await open().subscribe().end;
    expect(server.streams).toHaveLength(1);
    await clock.advance(1);
    open().subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(2);
  });

  test("that is heard on a unary call, in a tab without streams, holds in the others as well", async () => {
    server = createInMemoryServer((router) => {
      router.rpc(ChatService.method.say, () => {
        throw banned();
      });
    });
    const [page, other] = [open(), open()];
    await expect(page.chat.say({ text: "?" })).rejects.toThrow();
    await other.subscribe().end;
    expect(server.streams).toHaveLength(0);
  });
});

describe("what is not remembered", () => {
  test("is a superseded tab: the winner may be another tab of this account", async () => {
    const [loser, winner] = [open(), open()];
    loser.subscribe();
    winner.subscribe();
    await clock.settle();
    served(0).end(toConnectError({ reason: "superseded" }));
    await clock.settle();
    expect(loser.session.state.status).toBe("ended");
    expect(winner.session.state.status).toBe("connecting");
    open().subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(3);
  });

  test("is a guess: a session that takes an abort for a kick does not keep others out", async () => {
    const { session, subscribe } = open({ abortedMeans: "kicked" }, cutting(server.transport));
    subscribe();
    await clock.settle();
    served(0).end(new ConnectError("aborted", Code.Internal));
    await clock.settle();
    expect(session.state.status).toBe("ended");
    open().subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(2);
  });

  test("is a cause, a token or anything else that is secret", async () => {
    const error = banned();
    error.metadata.set("authorization", "Bearer s3cret");
    open().subscribe();
    await clock.settle();
    served(0).end(error);
    await clock.settle();
    expect([...fake.stored.keys()]).toEqual([expect.stringMatching(/:verdict$/)]);
    expect(JSON.stringify([...fake.stored])).not.toMatch(/s3cret|cause|authorization/);
  });
});

test("a kick keeps a reloaded page out for its cool-down, and no longer", async () => {
  open().subscribe();
  await clock.settle();
  served(0).end(kicked());
  await clock.advance(59_999);
  const page = open();
  expect(disconnectOf(await page.subscribe().end)).toMatchObject({ reason: "kicked", code: "afk" });
  expect(server.streams).toHaveLength(1);
  await clock.advance(1);
  open().subscribe();
  await clock.settle();
  expect(server.streams).toHaveLength(2);
});

describe("an outage", () => {
  test("is not left by reloading: twenty pages make no more attempts than the rate limit has", async () => {
    server.refuse = unavailable;
    for (let reload = 0; reload < 20; reload++) {
      const page = open();
      page.subscribe();
      await clock.advance(100);
      page.session.close();
    }
    expect(server.streams.length).toBeLessThanOrEqual(6); // the first, and five that are rationed
    expect(server.streams.length).toBeGreaterThan(2);
  });

  test("is not left by reloading while an attempt is on its way", async () => {
    open().subscribe();
    await clock.settle();
    served(0).send(1);
    await clock.settle();
    served(0).end(unavailable());
    await clock.settle();
    const before = server.streams.length;
    for (let reload = 0; reload < 20; reload++) {
      const page = open();
      page.subscribe();
      await clock.advance(200); // no answer yet
      page.session.close();
    }
    expect(server.streams.length - before).toBeLessThanOrEqual(5);
  });

  test.each([
    [2, 14],
    [3, 21],
  ])("of %i tabs keeps to the backoff if the server takes its time to refuse", async (tabs, most) => {
    const pages = Array.from({ length: tabs }, () => open());
    for (const page of pages) page.subscribe();
    await clock.settle();
    server.refuse = () => undefined;
    for (const stream of [...server.streams]) stream.end(unavailable());
    for (let served = tabs; clock.now() < Date.UTC(2030, 0, 1, 0, 1); ) {
      await clock.advance(600);
      for (const stream of server.streams.slice(served)) stream.end(unavailable());
      served = server.streams.length;
    }
    expect(server.streams.length - tabs).toBeLessThanOrEqual(most); // one tab makes six
  });

  test("that is given up in one tab is not taken for one that is over", async () => {
    const policies = { network: { initialMs: 1_000, jitter: "none", maxAttempts: 2 } } as const;
    const pages = [open({ policies }), open({ policies })];
    const ends = pages.map((page) => page.subscribe().end);
    await clock.settle();
    server.refuse = unavailable;
    for (const stream of [...server.streams]) stream.end(unavailable());
    await clock.advance(60_000);
    await Promise.all(ends);
    expect(server.streams.length - 2).toBeLessThanOrEqual(3); // two, and the other tab's last
  });

  test("with times of the server's own for each tab ends for each in its time", async () => {
    const pages = [open(), open()];
    for (const page of pages) page.subscribe();
    await clock.settle();
    for (const n of [0, 1]) served(n).send(1);
    await clock.settle();
    for (const [n, afterMs] of [10_000, 120_000].entries()) {
      const retryAt = new Date(clock.now() + afterMs);
      served(n).end(toConnectError({ reason: "maintenance", retryAt, reserved: true }, clock.now()));
    }
    await clock.advance(10_100);
    expect(server.streams).toHaveLength(3);
    served(2).send(2);
    await clock.advance(109_800);
    expect(server.streams).toHaveLength(3);
    await clock.advance(200);
    served(3).send(2);
    await clock.settle();
    for (const { lines } of pages) expect(lines.slice(-2)[0]).toMatch(/^reconnected: after 1/);
  });

  test("of maintenance is told to the next page, which waits for the server's time", async () => {
    const retryAt = new Date(clock.now() + 600_000);
    open().subscribe();
    await clock.settle();
    served(0).end(toConnectError({ reason: "maintenance", retryAt, message: "Deploying" }, clock.now()));
    await clock.advance(1_000);
    const page = open();
    page.subscribe();
    await clock.settle();
    expect(page.lines).toEqual(["maintenance: Deploying", expect.stringMatching(/^reconnecting: #1 in 599000 ms/)]);
    await clock.advance(598_999);
    expect(server.streams).toHaveLength(1);
    await clock.advance(100);
    expect(server.streams).toHaveLength(2);
  });

  test("that nobody was left to see the end of is forgotten", async () => {
    const page = open();
    page.subscribe();
    await clock.settle();
    served(0).end(unavailable());
    await clock.settle();
    page.session.close();
    await clock.advance(300_000);
    const next = open();
    next.subscribe();
    await clock.settle();
    expect(server.streams).toHaveLength(2);
    expect(next.session.state.status).toBe("connecting");
  });

  test.each([1, 3])("of %i tabs makes as many attempts as that of one", async (tabs) => {
    const pages = Array.from({ length: tabs }, () => open({ rateLimit: false }));
    for (const page of pages) page.subscribe();
    await clock.settle();
    for (let n = 0; n < tabs; n++) served(n).send(n + 1);
    await clock.settle();
    server.refuse = unavailable;
    for (const stream of [...server.streams]) stream.end(unavailable());
    await clock.advance(20_000);
    expect(server.streams.length - tabs).toBe(4); // after 1, 2, 4 and 8 s
    for (const { session } of pages) expect(session.state).toMatchObject({ status: "waiting" });
    server.refuse = undefined;
    await clock.advance(11_400);
    expect(server.live).toBe(1); // one probes, and has no answer yet
    served(server.streams.length - 1).send(9);
    await clock.settle();
    expect(server.live).toBe(tabs);
    for (const [n, page] of pages.entries()) {
      served(server.streams.length - 1 - n).send(10);
      await clock.settle();
      expect(page.lines.filter((line) => line.startsWith("reconnecting"))).toHaveLength(5);
    }
    for (const page of pages) expect(page.lines.at(-1)).toBe("streamReopened: 1 gap unknown");
  });

  test("goes on with another tab if the one that probed is gone", async () => {
    const [first, second] = [open({ rateLimit: false, headersTimeoutMs: 600_000 }), open({ rateLimit: false })];
    for (const page of [first, second]) page.subscribe();
    await clock.settle();
    for (const stream of [...server.streams]) stream.end(unavailable());
    await clock.advance(1_100);
    expect(server.streams).toHaveLength(3); // no answer yet
    first.session.close();
    await clock.advance(100);
    expect(server.streams).toHaveLength(4);
    served(3).send(1);
    await clock.settle();
    expect(second.session.state.status).toBe("recovering");
  });

  test("goes on with another tab if the one that probes hangs", async () => {
    const [first, second] = [open({ rateLimit: false, headersTimeoutMs: 600_000 }), open({ rateLimit: false })];
    for (const page of [first, second]) page.subscribe();
    await clock.settle();
    for (const stream of [...server.streams]) stream.end(unavailable());
    await clock.advance(15_900); // ten seconds, and by chance a half more
    expect(server.streams).toHaveLength(3);
    await clock.advance(200);
    expect(server.streams).toHaveLength(4);
  });

  test("of one tab alone does not touch the others", async () => {
    const [first, second] = [open(), open()];
    for (const page of [first, second]) page.subscribe();
    await clock.settle();
    served(1).send(1);
    served(0).end(unavailable());
    await clock.advance(500);
    expect(first.session.state.status).toBe("waiting");
    expect(second.session.state.status).toBe("healthy");
    expect(second.lines).toEqual(["connected", "streamOpened: 1"]);
  });
});

describe("a browser that does not let us", () => {
  const broken = () => {
    throw new DOMException("The operation is insecure", "SecurityError");
  };
  const refuse = {
    "has no storage": () => vi.stubGlobal("localStorage", undefined),
    "forbids to read": () => vi.stubGlobal("localStorage", { getItem: broken, setItem: broken }),
    "has a full storage": () => vi.stubGlobal("localStorage", { getItem: () => null, setItem: broken }),
    "has foreign things stored": () => vi.stubGlobal("localStorage", { getItem: () => "{]", setItem() {} }),
    "has no channels": () => vi.stubGlobal("BroadcastChannel", undefined),
    "forbids channels": () => vi.stubGlobal("BroadcastChannel", broken),
    "has no locks": () => vi.stubGlobal("navigator", {}),
    "forbids locks": () => vi.stubGlobal("navigator", { locks: { request: async () => broken() } }),
    "throws at locks": () => vi.stubGlobal("navigator", { locks: { request: broken } }),
    "has nothing": () => {
      for (const name of ["localStorage", "BroadcastChannel", "navigator", "addEventListener"])
        vi.stubGlobal(name, undefined);
    },
  };

  test.each(Object.entries(refuse))("because it %s: everything else works", async (what, take) => {
    take();
    const told: unknown[] = [];
    const memory = tabMemory({ account: "anna", reportError: (error) => told.push(error) });
    const [first, second] = [open({ extensions: [memory] }), open()];
    const { messages } = first.subscribe();
    second.subscribe();
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(1_100);
    served(2).send(1);
    await clock.settle();
    expect(messages).toHaveLength(1);
    served(1).end(banned());
    await clock.settle();
    expect(second.session.state.status).toBe("ended");
    await second.subscribe().end;
    expect(server.streams).toHaveLength(3);
    expect(new Set(told.map(String)).size).toBe(told.length); // each kind once
    expect(told.length > 0).toBe(/forbids|full|throws/.test(what));
    errors.length = 0;
  });

  test("still has what one page knows: a verdict outlives its session, if the memory is kept", async () => {
    refuse["has nothing"]();
    const memory = tabMemory({ account: "anna" });
    open({ extensions: [memory] }).subscribe();
    await clock.settle();
    served(0).end(banned());
    await clock.settle();
    await open({ extensions: [memory] }).subscribe().end;
    expect(server.streams).toHaveLength(1);
  });
});

test("garbage in the storage is as if there were none", async () => {
  open().subscribe();
  await clock.settle();
  served(0).end(banned());
  await clock.settle();
  const [[name = "", text = ""] = []] = [...fake.stored];
  const page = (value: string) => {
    fake.stored.set(name, value);
    return open();
  };
  const garbage = ["null", "1", '"x"', "[]", "{}", text.replace(/"until":[^}]*}/, '"until":"soon"'), text.slice(0, -9)];
  for (const value of [...garbage, text.replace('"at":', '"at":"soon","x":')]) page(value).subscribe();
  await clock.settle();
  expect(server.streams).toHaveLength(1 + garbage.length + 1);
  await page(text).subscribe().end;
  expect(server.streams).toHaveLength(1 + garbage.length + 1);
});

test("wrong options are named", () => {
  expect(() => tabMemory({ account: "" })).toThrow('account: expected the id of a user, got ""');
  expect(() => tabMemory({ account: "a", coolDownMs: -1 })).toThrow("coolDownMs: expected a number of at least 0");
  expect(() => tabMemory({ acount: "a" } as never)).toThrow("options.acount: unknown; expected one of account");
  expect(() => browser({ hiddenAfterMs: "1" as never })).toThrow(
    'hiddenAfterMs: expected a number of at least 0, got "1"',
  );
  expect(() => browser({ acount: "a" } as never)).toThrow(
    "options.acount: unknown; expected one of account, coolDownMs, rememberMs, reportError, hiddenAfterMs",
  );
});
