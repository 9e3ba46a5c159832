import { Code, ConnectError, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { controlStream } from "../src/control-stream/index.js";
import { createClient, createSession, disconnectOf, type Session, type SessionOptions } from "../src/index.js";
import {
  type Bouncer,
  ControlStreamService,
  controlStreamService,
  createBouncer,
  toConnectError,
} from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { createFakeDevice } from "./device.js";
import { collect, listen } from "./in-memory.js";
import { patience } from "./wire/leave-nothing.js";

// A session with a control stream, against a bouncer, in memory.

let clock: FakeClock;
let bouncer: Bouncer;
let session: Session;
/** The calls that reached the server, with the session that they named. */
let calls: (readonly [method: string, session: string | null])[];
const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);

beforeEach(() => {
  clock = createFakeClock();
  calls = [];
  bouncer = createBouncer({
    identify: ({ header, method }) => {
      calls.push([method.slice(method.indexOf("/") + 1), header.get("farewell-session")]);
      return { user: "u1" };
    },
    clock,
    heartbeatMs: 10_000,
    admission: { windowMs: 4_000 },
    reportError: note,
  });
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  session.close();
  await vi.waitFor(() => expect(clock.sleepers).toBe(0), patience);
  await clock.settle();
  process.off("unhandledRejection", note);
  expect(unhandled.splice(0)).toEqual([]);
});

const endless: ServiceImpl<typeof ChatService>["subscribe"] = async function* (_, { signal }) {
  yield { id: 1 };
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
};

function open(
  attend: Partial<ServiceImpl<typeof ControlStreamService>> | undefined = controlStreamService(bouncer),
  options: SessionOptions = {},
  subscribe = endless,
) {
  const transport = createRouterTransport(
    (router) => {
      router.service(ChatService, { subscribe, say: () => ({ id: 1 }) });
      if (attend) router.service(ControlStreamService, attend);
    },
    { router: { interceptors: [bouncer.interceptor] } },
  );
  session = createSession(transport, {
    clock,
    extensions: [controlStream()],
    rateLimit: false,
    reportError: note,
    ...options,
  });
  return { chat: createClient(ChatService, session), ...listen(session) };
}

/** A stream that is open, and that its server can cut at any moment. */
async function openToBeCut(options: SessionOptions = {}) {
  let fail: (error: unknown) => void = () => {};
  const { chat, lines } = open(undefined, options, async function* () {
    yield { id: 1 };
    await new Promise((_, reject) => {
      fail = reject;
    });
  });
  const { messages } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  return { messages, lines, cut: () => fail(new ConnectError("crash", Code.Internal)) };
}

/** Calls reach the server by promises, which the fake clock does not move. */
const arrival = (count: number) => vi.waitFor(() => expect(calls.length).toBeGreaterThanOrEqual(count), patience);

test("the control stream goes first, and from its welcome on each call names the session", async () => {
  const { chat } = open();
  const streams = [collect(chat.subscribe({})), collect(chat.subscribe({}))];
  await vi.waitFor(() => expect(streams.every(({ messages }) => messages.length === 1)).toBe(true), patience);
  await chat.say({});
  const [[, name] = []] = calls;
  expect(name).toMatch(/^[0-9a-f]{32}$/);
  expect(calls).toEqual([
    ["Open", name],
    ["Subscribe", name],
    ["Subscribe", name],
    ["Say", name],
  ]);
  expect(bouncer.list({ session: name as string })).toHaveLength(3);
});

test("a server without a control stream is asked once, and sees no names", async () => {
  const { chat, lines } = open({});
  const { messages } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  await chat.say({});
  collect(chat.subscribe({}));
  await arrival(4);
  expect(calls.map(([method, name]) => [method, name !== null])).toEqual([
    ["Open", true],
    ["Subscribe", false],
    ["Say", false],
    ["Subscribe", false],
  ]);
  expect(lines.filter((line) => !line.startsWith("streamOpened"))).toEqual(["connected"]);
});

test("a control stream that says nothing holds up the first stream for a second, and no other", async () => {
  const silent = async function* (_: unknown, { signal }: { readonly signal: AbortSignal }) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    if (!signal.aborted) yield {};
  };
  const { chat } = open({ open: silent });
  const { messages } = collect(chat.subscribe({}));
  await arrival(1);
  await clock.advance(999);
  expect(messages).toHaveLength(0);
  await clock.advance(1);
  expect(messages).toHaveLength(1);
  const other = collect(chat.subscribe({}));
  await clock.settle();
  expect(other.messages).toHaveLength(1);
});

test("a control stream that has ended is asked for again while a stream goes on", async () => {
  const { chat } = open({
    async *open() {
      yield { event: { case: "welcome", value: {} } };
    },
  });
  const { messages } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  await clock.advance(600_000);
  const attended = calls.filter(([method]) => method === "Open").length;
  expect(attended).toBeGreaterThan(3);
  expect(attended).toBeLessThan(12);
});

test("a control stream that was lost together with all streams, before its welcome, is asked for again", async () => {
  const cuts: (() => void)[] = [];
  const cut = () =>
    new Promise<never>((_, reject) => cuts.push(() => reject(new ConnectError("gone", Code.Unavailable))));
  const { chat, lines } = open({ open: silent }, {}, async function* () {
    yield { id: 1 };
    await cut();
  });
  // biome-ignore lint/correctness/useYield: it says nothing
  async function* silent(): AsyncGenerator<never> {
    await cut();
  }
  const { messages } = collect(chat.subscribe({}));
  await arrival(1);
  await clock.advance(1_000); // the stream waits no longer for the welcome
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  for (const fail of cuts.splice(0).reverse()) fail(); // no stream is open when the control stream fails
  await vi.waitFor(() => expect(lines).toContain("disconnected: network"), patience);
  await clock.advance(10_000);
  await vi.waitFor(() => expect(messages).toHaveLength(2), patience);
  await clock.advance(120_000);
  await vi.waitFor(
    () => expect(calls.map(([method]) => method)).toEqual(["Open", "Subscribe", "Subscribe", "Open"]),
    patience,
  );
});

test("what was decided explains no stream that was sent after it", async () => {
  const { messages, lines, cut } = await openToBeCut({ refresh: async () => true });
  await bouncer.expire({ user: "u1" });
  await clock.advance(2_000); // refreshed, and back
  expect(messages).toHaveLength(2);
  cut();
  await clock.settle();
  expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual([
    "streamLost: 1 unauthenticated",
    "streamLost: 1 aborted",
  ]);
});

describe("after a refresh", () => {
  const minute = 60_000;

  /** Two streams with credentials for a minute; one of them is refused, so that the session refreshes after half of it. */
  async function refreshing(attend?: (service: ReturnType<typeof controlStreamService>) => typeof service) {
    const start = clock.now();
    let issuedAt = start;
    bouncer = createBouncer({
      identify: ({ method }) => {
        calls.push([method.slice(method.indexOf("/") + 1), null]);
        return { user: "u1", issuedAt: new Date(issuedAt), expiresAt: new Date(issuedAt + minute) };
      },
      clock,
      heartbeatMs: 10_000,
      reportError: note,
    });
    const service = controlStreamService(bouncer);
    const refresh = async () => {
      issuedAt = clock.now();
    };
    const { chat, lines } = open(attend?.(service) ?? service, { refresh });
    const [kept, refused] = [collect(chat.subscribe({})), collect(chat.subscribe({}))];
    await vi.waitFor(() => expect([kept, refused].every(({ messages }) => messages.length === 1)).toBe(true), patience);
    await clock.advance(minute / 2);
    const [, second] = bouncer.list().filter(({ method }) => method.endsWith("Subscribe"));
    await bouncer.expire({ stream: second?.id });
    await clock.advance(2_000);
    expect(refused.messages).toHaveLength(2);
    const lost = () => lines.filter((line) => line.startsWith("streamLost"));
    expect(lost()).toEqual(["streamLost: 2 unauthenticated"]);
    return { lost, opened: () => calls.filter(([method]) => method === "Open").length };
  }

  test("the control stream shows the new credentials, and the session's other streams outlive the old ones", async () => {
    const { lost, opened } = await refreshing();
    expect([opened(), bouncer.count()]).toEqual([2, 3]); // one took the other's place
    await clock.advance(minute / 2);
    expect(lost()).toHaveLength(1);
    await clock.advance(minute);
    expect(lost()).toContain("streamLost: 1 unauthenticated"); // nobody has refreshed again
  });

  test("a control stream that is refused leaves the old one in its place, and is asked for again", async () => {
    let asked = 0;
    const { lost } = await refreshing((service) => ({
      async *open(request, context) {
        if (++asked === 2) throw toConnectError({ reason: "maintenance" });
        yield* service.open?.(request, context) ?? [];
      },
    }));
    expect([asked, bouncer.count()]).toEqual([2, 3]);
    await clock.advance(minute / 2 - 5_000);
    expect([asked, lost()]).toEqual([2, ["streamLost: 2 unauthenticated"]]); // the old one goes on
    await clock.advance(2 * minute);
    expect([asked > 2, bouncer.count()]).toEqual([true, 3]);
  });
});

describe("an attempt that gets no headers", () => {
  /** A session whose server lets streams in, and sends no headers for them. */
  async function headerless(service: Partial<ServiceImpl<typeof ControlStreamService>>, options: SessionOptions = {}) {
    const inner = createRouterTransport((router) => void router.service(ControlStreamService, service), {
      router: { interceptors: [bouncer.interceptor] },
    });
    const silent = (signal: AbortSignal | undefined) =>
      new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    const stream: typeof inner.stream = (method, signal, ...call) =>
      method.name === "Open" ? inner.stream(method, signal, ...call) : silent(signal);
    session = createSession(
      { ...inner, stream },
      { clock, extensions: [controlStream()], reportError: note, ...options },
    );
    const { lines } = listen(session);
    collect(createClient(ChatService, session).subscribe({}));
    await vi.waitFor(() => expect(bouncer.count()).toBe(1), patience);
    await clock.settle();
    return () => lines.filter((line) => line.startsWith("network"));
  }

  test("is lost after a while, where the server says that they come at admission", async () => {
    const lost = await headerless(controlStreamService(bouncer, { headersAtAdmission: true }));
    await clock.advance(14_999);
    expect(lost()).toEqual([]);
    await clock.advance(1);
    expect(lost()).toEqual(["network: no response within 15000 ms"]);
  });

  test("waits again, where a server has taken the place that has no control stream", async () => {
    let replaced = false;
    let replace = () => {};
    await headerless({
      async *open() {
        if (replaced) throw new ConnectError("unknown", Code.Unimplemented);
        yield { event: { case: "welcome", value: { headersAtAdmission: true } } };
        await new Promise<void>((resolve) => {
          replace = resolve;
        });
      },
    });
    let lost = 0;
    session.on("streamLost", () => lost++);
    replaced = true;
    replace();
    await clock.advance(300_000);
    const before = lost;
    await clock.advance(600_000);
    expect(lost).toBe(before);
  });

  test("is lost when the app says, whatever the server says", async () => {
    const lost = await headerless(controlStreamService(bouncer, { headersAtAdmission: true }), {
      headersTimeoutMs: 40_000,
    });
    await clock.advance(39_999);
    expect(lost()).toEqual([]);
    await clock.advance(1);
    expect(lost()).toEqual(["network: no response within 40000 ms"]);
  });

  test("waits where the server does not say it, which it does not by itself", async () => {
    const lost = await headerless(controlStreamService(bouncer));
    await clock.advance(600_000);
    expect(lost()).toEqual([]);
  });

  test.each([
    [{ headersAtAdmission: 1 }, "options.headersAtAdmission: expected true or false, got 1"],
    [{ headers: true }, "options.headers: unknown; expected one of headersAtAdmission"],
  ])("a wrong option is refused by its name: %j", (options, message) => {
    expect(() => controlStreamService(bouncer, options as object)).toThrow(message);
  });
});

test("with limited logins a control stream that is late does not put out its own session", async () => {
  bouncer = createBouncer({
    async identify({ method }) {
      if (method.endsWith("Open")) await clock.sleep(1_500);
      return { user: "u1" };
    },
    clock,
    logins: { max: 1, whenFull: "oldest-wins" },
  });
  const { chat, lines } = open(controlStreamService(bouncer));
  const { messages } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(clock.sleepers).toBeGreaterThan(1), patience);
  await clock.advance(3_000);
  expect(messages).toHaveLength(1);
  expect(lines).toEqual(["connected", "streamOpened: 1"]);
});

test("a ban at the door costs one call: the control stream's", async () => {
  await bouncer.ban({ user: "u1" }, { message: "Cheating" });
  const { chat, lines } = open();
  const error = await collect(chat.subscribe({})).end;
  expect(disconnectOf(error)).toMatchObject({ reason: "banned", message: "Cheating" });
  expect(calls.map(([method]) => method)).toEqual(["Open"]);
  expect(lines).toEqual(["banned: Cheating", "ended: banned: Cheating", "streamEnded: 1 stopped"]);
});

test("a kick ends the session, even if its stream never hears it", async () => {
  const { chat, lines } = open();
  const { messages, end } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  // In memory there is nothing to cut by: the stream would go on. The control stream is told.
  const [companion] = bouncer.list().filter(({ method }) => method.endsWith("Open"));
  void bouncer.kick({ stream: companion?.id }, { code: "afk", message: "Idle" });
  expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", code: "afk", message: "Idle" });
  expect(lines.slice(2)).toEqual(["kicked: Idle", "ended: kicked: Idle", "streamEnded: 1 stopped"]);
});

test("a verdict about another stream of the session arrives before that stream is cut", async () => {
  const { chat, lines } = open();
  const { messages, end } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  const [stream] = bouncer.list().filter(({ method }) => method.endsWith("Subscribe"));
  const kick = bouncer.kick({ stream: stream?.id }, { message: "Idle" }, { mode: "abort" });
  await clock.settle();
  expect(disconnectOf(await end)?.reason).toBe("kicked");
  await clock.advance(5_000);
  expect(await kick).toMatchObject({ matched: 1 });
  expect(lines.at(-2)).toBe("ended: kicked: Idle");
});

test("what will happen is told ahead, and explains a cut at its time and not before", async () => {
  const { lines, cut } = await openToBeCut();
  const at = new Date(clock.now() + 600_000);
  expect(bouncer.announce({ all: true }, { reason: "maintenance", message: "Deploying" }, at)).toBe(1);
  await clock.settle();
  expect(lines.at(-1)).toBe(`notice: maintenance at ${at.toISOString()}`);
  cut();
  await clock.settle();
  expect(lines.filter((line) => line.startsWith("disconnected"))).toEqual(["disconnected: aborted"]);
  await clock.advance(595_000);
  cut();
  await clock.settle();
  expect(lines.filter((line) => line.startsWith("disconnected")).at(-1)).toBe("disconnected: maintenance");
});

test("after a crash, the first try is spread over the server's window", async () => {
  const { lines, cut } = await openToBeCut();
  cut();
  await clock.settle();
  expect(lines.at(-1)).toBe("reconnecting: #1 in 2000 ms"); // half of 4,000: chance is 0.5
});

test("silence on all streams is a lost connection; news on one of them is not", async () => {
  let say: () => void = () => {};
  let id = 1;
  let silent = false;
  const attend: ServiceImpl<typeof ControlStreamService>["open"] = async function* (request, context) {
    for await (const response of controlStreamService(bouncer).open(request, context)) {
      if (silent) await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      yield response;
    }
  };
  const { chat, lines } = open({ open: attend }, {}, async function* () {
    for (;;) {
      yield { id: id++ };
      await new Promise<void>((resolve) => {
        say = resolve;
      });
    }
  });
  const { messages } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  await clock.advance(60_000);
  expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual([]); // heartbeats come
  silent = true;
  await clock.advance(10_000); // the last heartbeat was at 54 s, so that the time is up at 79 s
  say();
  silent = false;
  await clock.advance(30_000);
  expect(messages).toHaveLength(2);
  expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual([]); // the control stream alone was lost
  expect(calls.map(([method]) => method)).toEqual(["Open", "Subscribe", "Open"]);
  silent = true;
  await clock.advance(40_000);
  expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual(["streamLost: 1 network"]);
  expect(lines.find((line) => line.startsWith("network"))).toBe("network: no sign of life for 25000 ms");
});

test("a control stream rests in a pause, with all other streams, and comes back with them", async () => {
  const device = createFakeDevice();
  const { chat } = open(undefined, { extensions: [controlStream(), device.extension] });
  const { messages } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  expect(bouncer.count()).toBe(2);
  device.become("asleep");
  device.become(undefined);
  await vi.waitFor(() => expect(bouncer.count()).toBe(0), patience);
  await clock.advance(2_000);
  await vi.waitFor(() => expect(bouncer.count()).toBe(2), patience);
  expect(calls.map(([method]) => method)).toEqual(["Open", "Subscribe", "Subscribe", "Open"]);
});

test("a stream that had news since the last sign of life, but none after it, is lost with the control stream", async () => {
  const beats = new AbortController();
  let say: () => void = () => {};
  const { open: attend } = controlStreamService(bouncer);
  const { chat, lines } = open(
    {
      async *open(request, context) {
        if (!attend) throw new Error("there is no control stream to silence");
        for await (const event of attend(request, context)) {
          if (beats.signal.aborted) await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
          yield event;
        }
      },
    },
    {},
    async function* (_, { signal }) {
      yield { id: 1 };
      await new Promise<void>((resolve) => (say = resolve));
      yield { id: 2 };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  );
  const { messages } = collect(chat.subscribe({}));
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
  await clock.advance(10_000); // a sign of life
  beats.abort();
  await clock.advance(1_000);
  say();
  await clock.settle();
  expect(messages).toHaveLength(2);
  await clock.advance(24_000);
  expect(lines.filter((line) => line.startsWith("streamLost"))).toEqual(["streamLost: 1 network"]);
});

test("a new login has a new name; the control stream leaves a while after the last stream", async () => {
  const { chat } = open(undefined, {}, async function* () {
    yield { id: 1 };
    throw toConnectError({ reason: "kicked" });
  });
  await collect(chat.subscribe({})).end;
  session.restart();
  await collect(chat.subscribe({})).end;
  const names = new Set(calls.map(([, name]) => name));
  expect(names.size).toBe(2);
  await clock.advance(5_000);
  expect(bouncer.count()).toBe(0);
});
