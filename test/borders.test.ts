import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { tabMemory } from "../src/browser/index.js";
import { controlStream } from "../src/control-stream/index.js";
import { DisconnectSchema } from "../src/gen/farewell/v1/disconnect_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema } from "../src/gen/google/rpc/error_details_pb.js";
import {
  classify,
  createClient,
  createSession,
  type Disconnect,
  reauthenticated,
  type Session,
  type SessionOptions,
} from "../src/index.js";
import { ControlStreamService, createBouncer, toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { createFakeDevice, type FakeDevice } from "./device.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";
import { type FakeBrowser, stubBrowser } from "./tabs.js";
import { createTokenWorld } from "./tokens.js";

// What comes from outside is bounded and cleaned, and nothing that goes out escapes the session's budget.

type Attend = ServiceImpl<typeof ControlStreamService>["open"];

let clock: FakeClock;
let device: FakeDevice;
let server: InMemoryServer;
let attended: number[];
let session: Session;

beforeEach(() => {
  clock = createFakeClock();
  device = createFakeDevice();
  attended = [];
});

afterEach(async () => {
  session.close();
  await clock.settle();
  expect(clock.sleepers).toBe(0);
});

/** A session, and a server with this control stream. */
function open(options: SessionOptions = {}, attend?: Attend) {
  server = createInMemoryServer(({ service }) => {
    if (!attend) return;
    service(ControlStreamService, {
      open(request, context) {
        attended.push(clock.monotonic());
        return attend(request, context);
      },
    });
  });
  const extensions = attend ? [controlStream(), device.extension] : [device.extension];
  session = createSession(server.transport, { clock, extensions, ...options });
  return { chat: createClient(ChatService, session), ...listen(session) };
}

function served(n: number) {
  const stream = server.streams[n];
  if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
  return stream;
}

const duration = (ms: number) => ({ seconds: BigInt(Math.trunc(ms / 1_000)), nanos: (ms % 1_000) * 1e6 });
const over = (signal: AbortSignal) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
const unavailable = () => new ConnectError("down", Code.Unavailable);
const hour = 3_600_000;
const year = 365 * 24 * hour;

/** Control streams that say this first, and then what follows. */
function saying(value: object, ...more: readonly object[]): Attend {
  return async function* (_, { signal }) {
    yield { event: { case: "welcome", value } };
    for (const event of more) yield { event } as object;
    await over(signal);
  };
}

/** At any time no more than the burst and what was refilled since. */
function expectWithin(times: readonly number[], { burst, perMs } = { burst: 5, perMs: 60_000 }): void {
  for (const [index, at] of times.entries()) {
    for (const [later, until] of times.entries()) {
      if (later < index) continue;
      expect(later - index + 1).toBeLessThanOrEqual(burst + ((until - at) * burst) / perMs + 1e-6);
    }
  }
}

describe("a control stream", () => {
  test.each([0, 1, 10, -1_000])(
    "whose signs of life are to come every %i ms is called within the rate limit, however many messages flow",
    async (ms) => {
      const { chat } = open({}, saying({ heartbeatInterval: duration(ms) }));
      const { messages } = collect(chat.subscribe({}));
      await clock.settle();
      for (let id = 1; id <= 150; id++) {
        server.streams.at(-1)?.send(id);
        await clock.advance(400);
      }
      expect(messages.length).toBeGreaterThan(100);
      expect(attended.length).toBeGreaterThan(1); // it does fall silent
      expectWithin(attended);
    },
    60_000,
  );

  test("that ends as soon as it has welcomed is called within the rate limit, however often streams are opened", async () => {
    const { chat } = open({}, async function* () {
      yield { event: { case: "welcome", value: {} } };
    });
    for (let n = 0; n < 100; n++) {
      collect(chat.subscribe({}));
      await clock.settle();
      served(n).send(1);
      await clock.advance(500);
    }
    expect(attended.length).toBeGreaterThanOrEqual(5);
    expectWithin(attended);
  });

  test("is called after refreshes within the rate limit, and shows the last credentials all the same", async () => {
    const { chat } = open({ refresh: async () => true }, saying({}));
    collect(chat.subscribe({}));
    await clock.settle();
    let refreshedAt = 0;
    for (let n = 0; n < 30; n++) {
      refreshedAt = clock.monotonic();
      await session.refresh();
      await clock.advance(500);
    }
    await clock.advance(30_000);
    expectWithin(attended);
    expect(attended.at(-1)).toBeGreaterThanOrEqual(refreshedAt);
  });

  test("that announces something for a time beyond all dates is told with a date that can be shown", async () => {
    const words = { disconnect: { reason: { case: "maintenance", value: {} } } };
    const after = { seconds: 315_576_000_000n, nanos: 0 };
    const { chat, events } = open({}, saying({}, { case: "notice", value: { ...words, after } }));
    collect(chat.subscribe({}));
    await clock.settle();
    const told = events.find(([type]) => type === "notice")?.[1] as { readonly at: Date };
    expect(told.at.toISOString()).toBe("9999-12-31T23:59:59.999Z");
  });

  test("whose words are long and full of control characters is told without", async () => {
    const long = "x".repeat(60_000);
    const value = {
      disconnect: { reason: { case: "superseded", value: { by: `iPad\r\n\u001b[31m${long}` } } },
      message: `line\nline\r\u0007${"y".repeat(10_000_000)}`,
      localized: { locale: "de\u0000", message: `Zeile\nZeile\u001b${long.slice(0, 50_000)}` },
    };
    const { chat, events } = open({}, saying({}, { case: "notice", value }));
    collect(chat.subscribe({}));
    await clock.settle();
    const told = events.find(([type]) => type === "notice")?.[1] as { readonly announced: Disconnect<"superseded"> };
    const { by, message, localized } = told.announced;
    expect(by).toMatch(/^iPad {3}\[31mx{4000,}…$/);
    expect(message).toMatch(/^line\nline\r y{4000,}…$/);
    expect(localized?.locale).toBe("de ");
    expect(localized?.message).toMatch(/^Zeile\nZeile x{4000,}…$/);
    for (const text of [by, message, localized?.message]) expect(text).toHaveLength(4_096);
  });

  test("that says that credentials end explains no stream that was sent after it: none is refreshed twice", async () => {
    const refreshes: number[] = [];
    const refresh = async () => void refreshes.push(clock.monotonic());
    const ends = { disconnect: { reason: { case: "unauthenticated", value: {} } }, after: duration(8_000) };
    const { chat, lines } = open({ refresh }, saying({}, { case: "notice", value: ends }));
    collect(chat.subscribe({}));
    await clock.settle();
    expect(lines.some((line) => line.startsWith("notice"))).toBe(true);
    await clock.advance(1_000);
    await session.refresh();
    served(0).end(unavailable()); // sent with the old ones: the notice explains it, and the new ones are there already
    await clock.advance(3_000);
    served(1).send(1);
    await clock.settle();
    served(1).end(unavailable()); // sent with the new ones
    await clock.advance(20_000);
    expect(refreshes).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual([
      "streamLost: 1 unauthenticated",
      "streamLost: 1 network",
    ]);
  });
});

describe("a window", () => {
  test.each([0, -5_000, 1])("of %i ms takes nothing from the backoff, with no rate limit, too", async (ms) => {
    const policies = { network: { jitter: "none" } } as const;
    const { chat } = open({ rateLimit: false, policies }, saying({ returnWindow: duration(ms) }));
    collect(chat.subscribe({}));
    await clock.settle();
    const sent: number[] = [clock.monotonic()];
    for (let n = 0; n < 4; n++) {
      served(n).end(unavailable());
      while (server.streams.length < n + 2) await clock.advance(250);
      sent.push(clock.monotonic());
    }
    expect(sent.slice(1).map((at, n) => at - (sent[n] ?? 0))).toEqual([1_500, 3_000, 6_000, 12_000]);
  });
});

describe("a server that says one year is heeded for an hour", () => {
  const closedForAYear = () =>
    toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + year) }, clock.now());

  /** Until the next attempt, in ms. */
  async function waited(): Promise<number> {
    const from = clock.monotonic();
    const before = server.streams.length;
    while (server.streams.length === before && clock.monotonic() - from < 3 * hour) await clock.advance(60_000);
    return clock.monotonic() - from;
  }
  const anHour = [hour - 60_000, hour + 120_000] as const;

  async function toldOff() {
    const opened = open();
    const controller = new AbortController();
    collect(opened.chat.subscribe({}, { signal: controller.signal }));
    await clock.settle();
    served(0).end(closedForAYear());
    await clock.settle();
    return { ...opened, leave: () => controller.abort() };
  }

  test.each(["offline", "hidden", "frozen", "asleep"] as const)("after a pause (%s), too", async (why) => {
    await toldOff();
    device.become(why);
    await clock.settle();
    device.become(undefined);
    const ms = await waited();
    expect(ms).toBeGreaterThanOrEqual(anHour[0]);
    expect(ms).toBeLessThanOrEqual(anHour[1]);
  });

  test("by a stream that comes new in a pause, and by one that comes new in the wait", async () => {
    for (const paused of [true, false]) {
      const { chat, leave } = await toldOff();
      if (paused) device.become("offline");
      leave();
      await clock.settle();
      device.become(undefined);
      collect(chat.subscribe({}));
      const ms = await waited();
      expect(ms).toBeGreaterThanOrEqual(anHour[0]);
      expect(ms).toBeLessThanOrEqual(anHour[1]);
      session.close();
    }
  });

  test("by who asks to try now", async () => {
    await toldOff();
    session.retry();
    const ms = await waited();
    expect(ms).toBeGreaterThanOrEqual(anHour[0]);
    expect(ms).toBeLessThanOrEqual(anHour[1]);
  });
});

describe("an error from outside", () => {
  beforeEach(() => {
    session = createSession(createInMemoryServer().transport);
  });
  const denied = (details: ConstructorParameters<typeof ConnectError>[3], metadata: HeadersInit = { a: "b" }) =>
    classify({ error: new ConnectError("no", Code.PermissionDenied, metadata, details) });

  test("has its labels cut and cleaned, whichever way they came", () => {
    const code = `afk\r\n\u001b[2J${"x".repeat(20_000)}`;
    const ways = [
      denied([{ desc: DisconnectSchema, value: { reason: { case: "kicked", value: { code } } } }]),
      denied([{ desc: ErrorInfoSchema, value: { domain: "farewell.v1", reason: "KICKED", metadata: { code } } }]),
      denied([], { "farewell-reason": "kicked", "farewell-code": encodeURIComponent(code) }),
      classify(
        { error: new ConnectError("Stream closed with error code NGHTTP2_INTERNAL_ERROR", Code.Internal) },
        { notice: { reason: "kicked", code, localized: { locale: code, message: code } } },
      ),
    ];
    for (const kicked of ways) {
      expect(kicked?.reason).toBe("kicked");
      const { code: cut = "" } = kicked as Disconnect<"kicked">;
      expect(cut).toHaveLength(4_096);
      expect(cut).toMatch(/^afk {3}\[2Jx+…$/);
    }
    expect(ways[3]?.localized).toEqual({
      locale: expect.stringMatching(/^afk {3}/),
      message: expect.stringMatching(/^afk\r\n \[2J/),
    });
  });

  test("is not read where a detail is larger than any of ours, or where they are too many", () => {
    const info = { domain: "farewell.v1", reason: "KICKED", metadata: {} };
    const large = { desc: ErrorInfoSchema, value: { ...info, metadata: { code: "x".repeat(10_000_000) } } };
    const kick = { desc: ErrorInfoSchema, value: info };
    const other = { desc: LocalizedMessageSchema, value: { locale: "de", message: "Text" } };
    const unknown = { type: "farewell.v1.Disconnect", value: new Uint8Array(4_000_000).fill(8) } as never;
    expect(denied([large])).toBeUndefined();
    expect(denied([unknown])).toBeUndefined();
    expect(denied([large, unknown, kick])?.reason).toBe("kicked");
    expect(denied([...Array(31).fill(other), kick])?.reason).toBe("kicked");
    expect(denied([...Array(100_000).fill(other), kick])).toBeUndefined();
  });

  test("with a text of megabytes is searched in what is kept of it alone", () => {
    const text = "message exceeds ".repeat(200_000);
    const named = classify({ error: new ConnectError(text, Code.ResourceExhausted, { a: "b" }) });
    expect(named).toMatchObject({ reason: "throttled" });
    expect(named?.message).toHaveLength(4_096);
  });

  test("tells its reason in one line of a log", async () => {
    const { chat, events } = open();
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(toConnectError({ reason: "kicked", message: "Idle.\r\nGo \u001b[1mhome" }));
    await end;
    const told = events.find(([type]) => type === "ended")?.[1] as {
      readonly why: string;
      readonly disconnect: Disconnect;
    };
    expect(told.disconnect.message).toBe("Idle.\r\nGo  [1mhome");
    expect(told.why).toBe("kicked: Idle. Go [1mhome");
  });
});

describe("a server of ours", () => {
  beforeEach(() => {
    session = createSession(createInMemoryServer().transport);
  });

  test("says no more than fits, whatever it is given", () => {
    const long = "\u00fc".repeat(5_000_000);
    const error = toConnectError({
      reason: "kicked",
      code: long,
      message: long,
      localized: { locale: long, message: long },
    });
    expect(new TextEncoder().encode(error.rawMessage).length).toBeLessThanOrEqual(1_000);
    const named = classify({ error }) as Disconnect<"kicked">;
    expect(named.code?.length).toBeLessThanOrEqual(100);
    expect(named.localized?.message.length).toBeLessThanOrEqual(1_000);
  });

  test.each([Number.NaN, -1, Infinity, 1e300])("refuses a window and signs of life of %d ms by name", (ms) => {
    const identify = () => undefined;
    expect(() => createBouncer({ identify, admission: { windowMs: ms } })).toThrow(
      "admission.windowMs: expected a number",
    );
    expect(() => createBouncer({ identify, heartbeatMs: ms })).toThrow("heartbeatMs: expected a number");
  });

  test.each([Number.NaN, 1e300, Infinity])("refuses a time that is none, of %d, by name", (ms) => {
    const time = new Date(ms);
    expect(() => toConnectError({ reason: "maintenance", retryAt: time })).toThrow(
      "disconnect.retryAt: expected a Date",
    );
    expect(() => toConnectError({ reason: "banned", until: time })).toThrow("disconnect.until: expected a Date");
  });
});

describe("credentials", () => {
  test.each([1, 1_000, 3_000])("that end after %i ms, each time, are renewed within the rate limit", async (ms) => {
    const times: number[] = [];
    const refresh = async () => {
      times.push(clock.monotonic());
      return { expiresAt: new Date(clock.now() + ms) };
    };
    const { chat } = open({ refresh, expiresAt: () => new Date(clock.now() + ms) });
    collect(chat.subscribe({}));
    await clock.advance(600_000);
    expect(times.length).toBeGreaterThan(10);
    expectWithin(times);
  });

  test("that are refused on every other call are asked for within the rate limit", async () => {
    const world = createTokenWorld();
    const times: number[] = [];
    const refresh = async () => {
      times.push(world.clock.monotonic());
      world.grant(1); // good for the call that waits, and bad for the next
    };
    const { session: own, chat } = world.start({ refresh, methods: [reauthenticated()] });
    session = own;
    world.grant(0);
    for (let n = 0; n < 200; n++) {
      await chat.say({}).catch(() => {});
      await world.clock.advance(500);
    }
    expect(times.length).toBeGreaterThanOrEqual(5);
    expectWithin(times);
  });
});

describe("what other tabs have stored", () => {
  let fake: FakeBrowser;
  let sessions: Session[];
  const errors: unknown[] = [];
  const reportError = (error: unknown) => void errors.push(error);

  beforeEach(() => {
    fake = stubBrowser();
    sessions = [];
    server = createInMemoryServer();
  });

  afterEach(async () => {
    for (const each of sessions) each.close();
    await clock.settle();
    vi.unstubAllGlobals();
    expect(errors.splice(0)).toEqual([]);
  });

  function page() {
    const memory = tabMemory({ account: "a", reportError });
    session = createSession(server.transport, { clock, reportError, extensions: [memory] });
    sessions.push(session);
    const { end } = collect(createClient(ChatService, session).subscribe({}));
    return { end, session, ...listen(session) };
  }

  /** What a page has written, under the name that it has. */
  async function written(error: unknown): Promise<readonly [name: string, text: string]> {
    page();
    await clock.settle();
    served(server.streams.length - 1).end(error);
    await clock.settle();
    const [entry] = [...fake.stored];
    if (!entry) throw new Error("nothing was stored");
    return entry;
  }

  test("of a wait of a year is waited for no longer than the policy lets a server say", async () => {
    const retryAt = new Date(clock.now() + year);
    const [name, text] = await written(toConnectError({ reason: "maintenance", retryAt }, clock.now()));
    const until = /"until":(\d+)/.exec(text)?.[1] ?? "";
    fake.stored.set(
      name,
      text.replaceAll(until, String(clock.now() + year)).replace(/"floorAt":[\d.]+/, `"floorAt":${clock.now() + year}`),
    );
    for (const each of sessions) each.close();
    const before = server.streams.length;
    page();
    await clock.advance(hour - 60_000);
    expect(server.streams).toHaveLength(before);
    await clock.advance(240_000);
    expect(server.streams).toHaveLength(before + 1);
  });

  test("that is huge, deep, or of other kinds is as if there were nothing", async () => {
    const [name, text] = await written(toConnectError({ reason: "banned", message: "No" }));
    const deep = `{"at":${clock.now()},"x":${"[".repeat(60_000)}${"]".repeat(60_000)}}`;
    const garbage = [
      text.replace('"No"', JSON.stringify("x".repeat(1_000_000))),
      deep,
      "[".repeat(5_000_000),
      text.replace('"banned"', '"constructor"'),
      text.replace('"banned"', '"__proto__"'),
      text.replace('"banned"', "[]"),
      text.replace(/"disconnect":\{.*\}/, '"disconnect":{}'),
      text.replace(/"disconnect":\{.*\}/, '"disconnect":"banned"'),
    ];
    for (const [index, value] of garbage.entries()) {
      fake.stored.set(name, value);
      const before = server.streams.length;
      page();
      await clock.settle();
      expect([index, server.streams.length]).toEqual([index, before + 1]);
    }
    fake.stored.set(name, text);
    expect(await page().end).toBeInstanceOf(ConnectError);
  });

  test("has its texts and dates cleaned", async () => {
    const [name, text] = await written(
      toConnectError({ reason: "banned", code: "a", until: new Date(clock.now() + hour) }),
    );
    fake.stored.set(
      name,
      text
        .replace('"code":"a"', `"code":"a\\u001b${"x".repeat(9_000)}"`)
        .replace(/"until":\{[^}]*\}/, '"until":{"date":1e300}')
        .replace(/"why":"[^"]*"/, '"why":"two\\r\\nlines"'),
    );
    const { end, events } = page();
    await end;
    const told = events.find(([type]) => type === "ended")?.[1] as {
      readonly disconnect: Disconnect<"banned">;
      readonly why: string;
    };
    expect(told.why).toBe("two  lines (remembered)");
    expect(told.disconnect.code).toHaveLength(4_096);
    expect(told.disconnect.code).toMatch(/^a x+…$/);
    expect(told.disconnect.until === undefined || told.disconnect.until.getTime() > 0).toBe(true);
  });

  test("with numbers that are none makes no session wait for ever, and lets none go on without waiting", async () => {
    const [name, text] = await written(unavailable());
    for (const [field, value] of [
      ["attempts", '"many"'],
      ["endings", "-5"],
      ["previousMs", "1e300"],
      ["tokens", "-1e300"],
      ["downAt", "null"],
      ["until", "1e300"],
    ]) {
      fake.stored.set(name, text.replace(new RegExp(`"${field}":[\\d.]+`, "g"), `"${field}":${value}`));
      for (const each of sessions) each.close();
      const before = server.streams.length;
      server.refuse = unavailable;
      page();
      await clock.advance(hour / 2);
      const tried = server.streams.length - before;
      expect([field, value, tried > 0, tried < 160]).toEqual([field, value, true, true]);
      server.refuse = undefined;
    }
  }, 60_000);
});
