import { create, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "vitest";
import { ChatService, MessageSchema, type SubscribeRequest } from "../examples/gen/chat/v1/chat_pb.js";
import { type Clock, createClient, createSession, method } from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { createFakeDevice } from "./device.js";
import { collect, listen } from "./in-memory.js";

// One working day of a laptop, minute by minute: a chat that says something each minute, tokens of five minutes, and
// whatever happens to laptops and servers on such a day.

const minute = 60_000;
const tokenMs = 5 * minute;

test.each([
  ["goes on", false],
  ["stands still", true],
])(
  "a laptop's day ends with its stream, nothing lost or doubled, and nobody signed out, where the monotonic clock %s in sleep",
  async (_, stands) => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    onTestFinished(() => void process.off("unhandledRejection", note));

    const clock = createFakeClock();
    const laptop = createLaptop(clock, stands);
    const device = createFakeDevice();
    const world = createWorld(clock);
    const reported: unknown[] = [];
    const session = createSession(world.transport, {
      clock: laptop.clock,
      extensions: [device.extension],
      refresh: world.refresh,
      headersTimeoutMs: 10_000,
      reportError: (error) => reported.push(error),
      methods: [
        method(ChatService.method.subscribe, {
          endless: true,
          idleTimeoutMs: 1.5 * minute,
          resume: (request, last) => ({ ...request, afterId: last.id }),
          position: ({ id }) => id,
        }),
      ],
    });
    const { lines } = listen(session);
    const { messages, end } = collect(createClient(ChatService, session).subscribe({ room: "lobby" }));
    const pass = async (minutes: number) => {
      for (let second = 0; second < minutes * 60; second += 10) {
        world.tick();
        await clock.advance(10_000);
      }
    };
    /** Back within five minutes of what ended last, whatever that was. */
    const back = async (what: string) => {
      await pass(5);
      expect(session.state.status, what).toMatch(/healthy|recovering/);
      expect(messages.at(-1)?.id, what).toBe(world.said());
    };

    await pass(40);
    await back("the morning");

    world.lose("hang"); // another network: what was sent on the old one is never answered
    await back("the way from the desk to a meeting");

    device.become("frozen"); // the lid is closed, and the page is told
    laptop.sleep();
    world.lose("hang");
    await pass(45);
    laptop.wake();
    device.become(undefined);
    await back("a sleep that was announced");

    world.fails = ["internal", "tls", "page"]; // a deploy: pods that stop, a balancer without certificates, and without routes
    world.authFails = 1;
    world.lose("internal");
    await pass(6); // longer than a token's life
    world.fails = [];
    await back("a deploy");

    laptop.sleep();
    world.lose("hang");
    await pass(60);
    device.become("asleep"); // found out on waking
    laptop.wake();
    device.become(undefined);
    await back("a sleep that was found out");

    clock.setWallClock(clock.now() - 60 * minute);
    await pass(30);
    await back("a wall clock that was set back");

    world.fails = ["proxy"];
    world.lose("proxy");
    await pass(2);
    world.fails = [];
    await back("a proxy's 503");

    device.become("offline"); // the way home
    world.fails = ["unreachable"];
    world.lose("reset");
    await pass(20);
    device.become(undefined); // there is a network before there is a way
    await pass(1);
    world.fails = [];
    await back("another network");

    laptop.sleep(); // and nobody says so
    world.fails = ["unreachable"];
    world.lose("hang");
    await pass(30);
    laptop.wake();
    await pass(1);
    world.fails = [];
    world.authFails = 2; // the way to where tokens are made is the last to come back
    await back("a sleep that nobody noticed");

    await pass(120);
    const ids = messages.map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: world.said() }, (_, index) => index + 1));
    expect(session.state.status).toBe("healthy");
    expect(lines.filter((line) => /^(ended|kicked|banned|superseded|streamEnded|streamGap)/.test(line))).toEqual([]);
    expect(world.reused).toBe(0);
    expect(world.open()).toBe(1);

    session.close();
    expect(await end).toMatchObject({ code: Code.Canceled });
    await clock.settle();
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual(["streamEnded: 1 canceled"]);
    expect(clock.sleepers).toBe(0);
    expect(unhandled).toEqual([]);
  },
);

/** A clock whose timers do not run while the laptop sleeps. Its monotonic time may stand still meanwhile. */
function createLaptop(clock: FakeClock, stands: boolean) {
  let sleptMs = 0;
  let asleepSince: number | undefined;
  let wake = () => {};
  let awake = Promise.resolve();
  const monotonic = () => (stands ? (asleepSince ?? clock.monotonic()) - sleptMs : clock.monotonic());
  const laptop: Clock = {
    now: clock.now,
    random: clock.random,
    monotonic,
    async sleep(ms, signal) {
      const due = monotonic() + ms;
      for (let left = ms; left > 0 || asleepSince !== undefined; left = due - monotonic()) {
        await clock.sleep(Math.max(0, left), signal);
        if (asleepSince !== undefined) await Promise.race([awake, aborted(signal)]);
      }
    },
  };
  return {
    clock: laptop,
    sleep() {
      asleepSince = clock.monotonic();
      awake = new Promise((resolve) => (wake = resolve));
    },
    wake() {
      sleptMs += clock.monotonic() - (asleepSince ?? 0);
      asleepSince = undefined;
      wake();
    },
  };
}

/** How a stream ends, or an attempt fails. `hang`: nothing ever comes again. */
type Fault = "internal" | "tls" | "page" | "proxy" | "unreachable" | "reset" | "hang";

function errorOf(fault: Exclude<Fault, "hang">): ConnectError {
  const page = { "content-type": "text/html" };
  const local = (message: string, code: Code, cause: string) =>
    new ConnectError(message, code, undefined, undefined, Object.assign(new Error(message), { code: cause }));
  switch (fault) {
    case "internal":
      return new ConnectError("shutting down", Code.Internal, { "content-type": "application/grpc" });
    case "tls":
      return local("tlsv1 alert internal error", Code.Internal, "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR");
    case "page":
      return new ConnectError("HTTP 404", Code.Unimplemented, page);
    case "proxy":
      return new ConnectError("HTTP 503", Code.Unavailable, { ...page, "retry-after": "5" });
    case "unreachable":
      return local("connect ENETUNREACH", Code.Unavailable, "ENETUNREACH");
    case "reset":
      return local("read ECONNRESET", Code.Aborted, "ECONNRESET");
  }
}

interface Line {
  readonly token: number;
  readonly push: (next: Message | ConnectError) => void;
}

/** The server, and all that lies between it and the laptop. */
function createWorld(clock: FakeClock) {
  const open = new Set<Line>();
  const expiries: number[] = [clock.monotonic() + tokenMs]; // of each token, by its number
  let ticks = 0;
  let held = 0; // the token that the laptop has
  let refreshing = 0;
  let attempts = 0;
  const expired = (token: number) => (expiries[token] ?? 0) <= clock.monotonic();
  const unauthenticated = () => new ConnectError("token expired", Code.Unauthenticated, { "x-from": "server" });
  const said = (id: number) => create(MessageSchema, { id, text: `message ${id}` });

  const world = {
    /** What attempts meet, in turns; none: they are let in. */
    fails: [] as readonly Fault[],
    /** How many refreshes will fail on their way. */
    authFails: 0,
    /** How often a refresh token was used twice, for which a server signs its user out. */
    reused: 0,
    said: () => Math.floor(ticks / 6),
    open: () => open.size,
    /** Ten seconds: a message each minute, and the end of tokens that have run out. */
    tick() {
      ticks++;
      for (const line of [...open]) {
        if (ticks % 6 === 0) line.push(said(world.said()));
        if (expired(line.token)) line.push(unauthenticated());
      }
    },
    lose(fault: Fault) {
      for (const line of open) if (fault !== "hang") line.push(errorOf(fault));
      open.clear();
    },
    async refresh(signal: AbortSignal) {
      if (refreshing > 0) world.reused++;
      refreshing++;
      try {
        await clock.sleep(200, signal);
        if (world.authFails-- > 0) throw new TypeError("fetch failed");
        held = expiries.push(clock.monotonic() + tokenMs) - 1;
        return world.reused === 0;
      } finally {
        refreshing--;
      }
    },
    transport: {
      unary: () => Promise.reject(new Error("not called here")),
      async stream(desc, signal, _timeoutMs, _header, input) {
        const token = held;
        const fault = world.fails[attempts++ % world.fails.length];
        const answered = fault === undefined || fault === "internal"; // by a server, which looks at the token first
        if (answered && expired(token)) throw unauthenticated();
        if (fault === "hang") await aborted(signal);
        else if (fault) throw errorOf(fault);
        let after = 0;
        for await (const request of input) after = (request as unknown as SubscribeRequest).afterId;
        return {
          stream: true,
          service: desc.parent,
          method: desc,
          header: new Headers(),
          trailer: new Headers(),
          message: serve(token, after, signal),
        } as never;
      },
    } as Transport,
  };
  return world;

  async function* serve(token: number, after: number, signal: AbortSignal | undefined): AsyncGenerator<Message> {
    const queue: (Message | ConnectError)[] = [];
    let wake = () => {};
    const line: Line = {
      token,
      push(next) {
        queue.push(next);
        wake();
      },
    };
    for (let id = after + 1; id <= world.said(); id++) line.push(said(id));
    open.add(line);
    try {
      for (;;) {
        const next = queue.shift();
        if (next instanceof ConnectError) throw next;
        if (next) yield next;
        else await Promise.race([new Promise<void>((resolve) => (wake = resolve)), aborted(signal)]);
      }
    } finally {
      open.delete(line);
    }
  }
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    else signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
