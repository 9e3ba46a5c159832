import {
  Code,
  ConnectError,
  createCallbackClient,
  createClient as createConnectClient,
  type Transport,
} from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, disconnectOf, method, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

let clock: FakeClock;
let server: InMemoryServer;
let errors: unknown[];

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  errors = [];
});

afterEach(async () => {
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(server.live).toBe(0);
});

function start(options: SessionOptions = {}, transport = server.transport) {
  const session = createSession(transport, { clock, reportError: (error) => errors.push(error), ...options });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

const unavailable = () => new ConnectError("down", Code.Unavailable);
const expired = () => new ConnectError("expired", Code.Unauthenticated);

function served(n: number) {
  const stream = server.streams[n];
  if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
  return stream;
}

describe("leaving", () => {
  test("a loop by break cancels the call, and is the stream's one final event", async () => {
    const { chat, lines } = start();
    const loop = (async () => {
      for await (const message of chat.subscribe({})) if (message.id === 2) break;
    })();
    await clock.settle();
    served(0).send(1);
    served(0).send(2);
    await loop;
    await clock.settle();
    expect(server.live).toBe(0);
    expect(lines).toEqual(["connected", "streamOpened: 1", "streamEnded: 1 canceled"]);
  });

  test("by return and throw on the iterator cancels as well, also before the first message", async () => {
    const { chat, lines } = start();
    const first = chat.subscribe({})[Symbol.asyncIterator]();
    const second = chat.subscribe({})[Symbol.asyncIterator]();
    const reading = first.next();
    reading.catch(() => {});
    await clock.settle();
    expect(await first.return?.()).toEqual({ done: true, value: undefined });
    await expect(second.throw?.(new Error("enough"))).rejects.toThrow("enough");
    await clock.settle();
    await expect(reading).rejects.toMatchObject({ code: Code.Canceled });
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toEqual([
      "streamEnded: 1 canceled",
      "streamEnded: 2 canceled",
    ]);
  });

  test("by break from the messages of the session itself cancels as well, and tells the caller nothing more", async () => {
    const { session, lines } = start();
    const { subscribe } = ChatService.method;
    const opening = session.stream(subscribe, undefined, undefined, undefined, createAsyncIterable([{}]));
    await clock.settle();
    served(0).send(1);
    const { message } = await opening;
    for await (const { id } of message) {
      expect(id).toBe(1);
      break;
    }
    await clock.settle();
    expect(server.live).toBe(0);
    expect(lines).toEqual(["connected", "streamOpened: 1", "streamEnded: 1 canceled"]);
    const iterator = message[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(await iterator.return?.("late")).toEqual({ done: true, value: "late" });
  });

  test("by a signal throws what Connect throws, with the signal's reason", async () => {
    const { chat } = start();
    const controller = new AbortController();
    const own = collect(chat.subscribe({}, { signal: controller.signal }));
    const raw = collect(
      createConnectClient(ChatService, server.transport).subscribe({}, { signal: controller.signal }),
    );
    await clock.settle();
    controller.abort(new ConnectError("moved on", Code.Aborted));
    const error = await own.end;
    expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "moved on" });
    expect(error).toMatchObject({ ...((await raw.end) as object) });
    expect(disconnectOf(error)).toBeUndefined();
  });

  test("before it began makes no call at all", async () => {
    const { chat, lines } = start();
    const { end } = collect(chat.subscribe({}, { signal: AbortSignal.abort() }));
    expect(await end).toMatchObject({ code: Code.Canceled });
    expect(server.streams).toHaveLength(0);
    expect(lines).toEqual(["streamEnded: 1 canceled"]);
  });

  test("during a wait leaves no timer, and opens nothing more", async () => {
    const { chat } = start();
    const controller = new AbortController();
    const { end } = collect(chat.subscribe({}, { signal: controller.signal }));
    await clock.settle();
    served(0).end(unavailable());
    await clock.settle();
    controller.abort();
    expect(await end).toMatchObject({ code: Code.Canceled });
    await clock.advance(600_000);
    expect(server.streams).toHaveLength(1);
  });

  test("takes no listener along on a signal that lives longer", async () => {
    const { chat } = start();
    const controller = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = controller.signal;
    Object.assign(controller.signal, {
      addEventListener(...args: Parameters<typeof addEventListener>) {
        listeners++;
        addEventListener.apply(controller.signal, args);
      },
      removeEventListener(...args: Parameters<typeof removeEventListener>) {
        listeners--;
        removeEventListener.apply(controller.signal, args);
      },
    });
    const { end } = collect(chat.subscribe({}, { signal: controller.signal }));
    await clock.settle();
    served(0).end();
    await end;
    expect(listeners).toBe(0);
  });
});

describe("close", () => {
  test("settles streams, waiting streams and unary calls at once, and refuses what comes later", async () => {
    server = createInMemoryServer((router) => router.rpc(ChatService.method.say, () => new Promise<never>(() => {})));
    const { session, chat, lines } = start();
    const open = collect(chat.subscribe({}));
    const waiting = collect(chat.subscribe({}));
    const unary = chat.say({ text: "hello" });
    await clock.settle();
    served(0).send(1);
    served(1).end(unavailable());
    await clock.settle();
    session.close();
    session.close();
    for (const end of [open.end, waiting.end, unary.catch((error) => error)]) {
      expect(await end).toMatchObject({ code: Code.Canceled, rawMessage: "the session is closed" });
    }
    await expect(chat.say({})).rejects.toMatchObject({ code: Code.Canceled });
    expect(await collect(chat.subscribe({})).end).toMatchObject({ code: Code.Canceled });
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(2);
    expect(() => session.restart()).toThrow("closed");
    await clock.advance(600_000);
    expect(server.streams).toHaveLength(2);
  });

  test("comes with `using`", async () => {
    {
      using session = start().session;
      collect(createClient(ChatService, session).subscribe({}));
      await clock.settle();
      expect(server.live).toBe(1);
    }
    await clock.settle();
    expect(server.live).toBe(0);
  });

  test("does not wait for a transport that loses aborts, nor for one that never answers", async () => {
    const deaf: Transport = {
      unary: () => new Promise(() => {}),
      stream: (desc, _signal, _timeoutMs, _header, _input) =>
        Promise.resolve({
          stream: true,
          service: desc.parent,
          method: desc,
          header: new Headers(),
          trailer: new Headers(),
          message: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) },
        }) as never,
    };
    const hanging = start({}, deaf);
    const { end } = collect(hanging.chat.subscribe({}));
    const unary = hanging.chat.say({}).catch((error) => error);
    await clock.settle();
    hanging.session.close();
    expect(await end).toMatchObject({ code: Code.Canceled });
    expect(await unary).toMatchObject({ code: Code.Canceled });

    const mute = start({}, { ...deaf, stream: () => new Promise(() => {}) });
    const controller = new AbortController();
    const opening = collect(mute.chat.subscribe({}, { signal: controller.signal }));
    await clock.settle();
    controller.abort();
    expect(await opening.end).toMatchObject({ code: Code.Canceled });
  });

  test("with streams that nobody ever read leaves no unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    const { session, chat } = start();
    chat.subscribe({});
    createConnectClient(ChatService, session).subscribe({});
    await clock.settle();
    session.close();
    chat.subscribe({});
    await clock.settle();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});

describe("time", () => {
  test("timeoutMs is the total over all attempts, and throws what Connect throws", async () => {
    const { chat } = start({ rateLimit: false });
    server.refuse = () => unavailable();
    const { end } = collect(chat.subscribe({}, { timeoutMs: 10_000 }));
    await clock.advance(9_999);
    expect(server.streams.length).toBeGreaterThan(2);
    await clock.advance(1);
    expect(await end).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: "the operation timed out" });
  });

  test("silence is a lost network, and counts only while the caller waits for a message", async () => {
    const { session, chat, lines } = start({
      methods: [method(ChatService.method.subscribe, { idleTimeoutMs: 30_000 })],
    });
    const stream = chat.subscribe({})[Symbol.asyncIterator]();
    const first = stream.next();
    await clock.settle();
    served(0).send(1);
    await first;
    await clock.advance(120_000); // the caller is busy
    expect(server.streams).toHaveLength(1);
    const second = stream.next();
    await clock.advance(29_999);
    expect(server.live).toBe(1);
    await clock.advance(1);
    expect(lines).toContain("network: no message for 30000 ms");
    await clock.advance(750);
    served(1).send(2);
    expect(await second).toMatchObject({ value: { id: 2 } });
    session.close();
  });

  test("headersTimeoutMs gives up on an attempt that gets no headers", async () => {
    let calls = 0;
    const mute: Transport = { ...server.transport, stream: () => new Promise(() => calls++) };
    const { session, chat, lines } = start({ headersTimeoutMs: 5_000 }, mute);
    for (let i = 0; i < 3; i++) collect(chat.subscribe({}));
    await clock.advance(5_000);
    expect(lines).toContain("network: no response within 5000 ms");
    expect(calls).toBe(3);
    await clock.advance(750 + 5_000);
    expect(calls).toBe(4); // one probe
    session.close();
  });

  test("a failure is never answered in its own tick, whatever the policy", async () => {
    const now = () => ({ action: "reconnect", afterMs: 0, why: "at once" }) as const;
    const { session, chat } = start({ rateLimit: false, policies: { network: now } });
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.settle();
    expect(server.streams).toHaveLength(1);
    await clock.advance(1);
    expect(server.streams).toHaveLength(2);
    session.close();
  });

  test("the rate limit holds back a server that opens and drops", async () => {
    const { session, chat } = start({ policies: { network: { initialMs: 1, maxMs: 1 } } });
    server.refuse = () => unavailable();
    collect(chat.subscribe({}));
    await clock.advance(20_000);
    expect(server.streams.length).toBeLessThanOrEqual(8);
    session.close();
  });
});

describe("unauthenticated", () => {
  test("is refreshed once for all streams, and then they go on", async () => {
    let refreshes = 0;
    const refresh = async () => {
      await clock.sleep(1_000);
      refreshes++;
    };
    const { session, chat, lines } = start({ refresh });
    for (let i = 0; i < 5; i++) collect(chat.subscribe({}));
    await clock.settle();
    for (const stream of server.streams) stream.end(expired());
    await clock.advance(1_000 + 750 + 500);
    expect(refreshes).toBe(1);
    expect(server.live).toBe(5);
    expect(lines.filter((line) => line.startsWith("unauthenticated"))).toHaveLength(1);
    session.close();
  });

  test("ends the session at the same answer before the stream was healthy", async () => {
    let refreshes = 0;
    const { session, chat, events } = start({ refresh: async () => void refreshes++ });
    server.refuse = () => expired();
    const { end } = collect(chat.subscribe({}));
    await clock.advance(600_000);
    expect(disconnectOf(await end)?.reason).toBe("unauthenticated");
    expect(refreshes).toBe(1);
    expect(server.streams).toHaveLength(2);
    expect(session.state.status).toBe("ended");
    expect(events.filter(([type]) => type === "ended")).toHaveLength(1);
  });

  test("ends the session when the refresh says false", async () => {
    const { session, chat } = start({ refresh: async () => false });
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(expired());
    expect(await end).toMatchObject({ code: Code.Unauthenticated });
    expect(session.state).toMatchObject({ status: "ended", why: "unauthenticated: signed out" });
    expect(errors).toEqual([]);
  });

  test("ends the session where there is no refresh", async () => {
    const { session, chat } = start();
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(expired());
    await end;
    expect(session.state).toMatchObject({ status: "ended", why: "unauthenticated: no refresh is set" });
  });

  test("a refresh is told when the session closes meanwhile", async () => {
    let signal: AbortSignal | undefined;
    const { session, chat } = start({
      refresh: (given) => {
        signal = given;
        return new Promise((_, reject) => given.addEventListener("abort", () => reject(given.reason)));
      },
    });
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(expired());
    await clock.settle();
    session.close();
    await clock.settle();
    expect(signal?.aborted).toBe(true);
    expect(errors).toEqual([]);
  });
});

describe("a notice", () => {
  test("explains the abort that follows it", async () => {
    const { session, chat } = start();
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    session.notice({ reason: "kicked", message: "Idle", code: "afk" });
    await clock.advance(2_000);
    served(0).end(new ConnectError("reset", Code.Internal));
    expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", said: true, source: "notice", code: "afk" });
  });

  test("explains nothing after its time, and no error of the application", async () => {
    const { session, chat } = start();
    const first = collect(chat.subscribe({}));
    await clock.settle();
    session.notice({ reason: "kicked" });
    served(0).end(new ConnectError("no such room", Code.NotFound));
    expect(disconnectOf(await first.end)).toBeUndefined();
    collect(chat.subscribe({}));
    await clock.advance(10_001);
    served(1).end(new ConnectError("reset", Code.Internal));
    await clock.settle();
    expect(session.state.status).toBe("waiting");
    session.close();
  });

  test("of something later explains what is cut around that time, and nothing before", async () => {
    const { session, chat } = start();
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    session.notice({ reason: "kicked" }, new Date(clock.now() + 60_000));
    served(0).end(new ConnectError("reset", Code.Internal));
    await clock.advance(55_000);
    expect(session.state.status).not.toBe("ended");
    served(1).end(new ConnectError("reset", Code.Internal));
    expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", source: "notice" });
  });

  test("of an unknown reason, or at no time, is refused by name", () => {
    const { session } = start();
    expect(() => session.notice({ reason: "kicked" }, 60_000 as never)).toThrow("notice: at: expected a Date");
    expect(() => session.notice({ reason: "fired" } as never)).toThrow('notice.reason: expected "kicked" or');
  });
});

describe("what apps throw", () => {
  test("a listener that throws, or rejects, is reported and breaks nothing", async () => {
    const { session, chat } = start();
    session.onNetwork(() => {
      throw new Error("one");
    });
    session.on("reconnecting", async () => {
      throw new Error("two");
    });
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(1_000);
    expect(server.streams).toHaveLength(2);
    expect(errors).toMatchObject([{ message: "one" }, { message: "two" }]);
    session.close();
  });

  test("a listener is removed by what `on` returned", async () => {
    const { session, chat } = start();
    let heard = 0;
    const off = session.onNetwork(() => heard++);
    collect(chat.subscribe({}));
    await clock.settle();
    off();
    served(0).end(unavailable());
    await clock.settle();
    expect(heard).toBe(0);
    session.close();
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("bug");
      },
      "bug",
    ],
    [
      "answers nonsense",
      () => ({ action: "retry" }),
      'the answer of policies.network: action: expected "reconnect" or "stop" or "end"',
    ],
  ])("a policy function that %s is reported, and the default decides", async (_, policy, message) => {
    const { session, chat } = start({ policies: { network: policy as never } });
    collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    await clock.advance(750);
    expect(server.streams).toHaveLength(2);
    expect((errors[0] as Error).message).toContain(message);
    session.close();
  });

  test.each(["resume", "position"] as const)("a %s that throws stops its stream with that error", async (name) => {
    const broken = () => {
      throw new Error(name);
    };
    const { chat, lines } = start({ methods: [method(ChatService.method.subscribe, { [name]: broken })] });
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    served(0).send(1);
    await clock.settle();
    if (name === "resume") served(0).end(unavailable());
    await clock.advance(1_000);
    expect(await end).toMatchObject({ message: name });
    expect(lines.at(-1)).toBe("streamEnded: 1 failed");
  });

  test("a resume that misspells a field, or forgets to answer, stops its stream and says so", async () => {
    for (const [resume, message] of [
      [
        () => ({ afterld: 1 }),
        "method(chat.v1.ChatService/Subscribe).resume.afterld: unknown; expected one of room, afterId",
      ],
      [() => undefined, "method(chat.v1.ChatService/Subscribe).resume: expected an object, got undefined"],
    ] as const) {
      const { chat } = start({ methods: [method(ChatService.method.subscribe, { resume: resume as never })] });
      const { end } = collect(chat.subscribe({}));
      await clock.settle();
      served(server.streams.length - 1).send(1);
      served(server.streams.length - 1).end(unavailable());
      await clock.advance(1_000);
      expect((await end) as Error).toMatchObject({ name: "TypeError", message: expect.stringContaining(message) });
    }
  });

  test("a listener may close or restart the session from within an event", async () => {
    const { session, chat } = start();
    session.onNetwork(() => session.close());
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    served(0).end(unavailable());
    expect(await end).toMatchObject({ code: Code.Canceled });

    const again = start();
    again.session.onKicked(() => again.session.restart());
    const kicked = collect(again.chat.subscribe({}));
    await clock.settle();
    served(1).end(toConnectError({ reason: "kicked" }));
    expect(disconnectOf(await kicked.end)?.reason).toBe("kicked");
    expect(again.session.state.status).toBe("idle");
  });
});

describe("a session as a transport", () => {
  test("serves Connect's own clients, of promises and of callbacks", async () => {
    const { session, lines } = start();
    const promise = collect(createConnectClient(ChatService, session).subscribe({}));
    const texts: string[] = [];
    let closed: unknown = "not yet";
    const stop = createCallbackClient(ChatService, session).subscribe(
      {},
      ({ text }) => texts.push(text),
      (error) => {
        closed = error;
      },
    );
    await clock.settle();
    served(0).end(unavailable());
    served(1).end(unavailable());
    await clock.advance(750);
    served(2).send(1);
    await clock.settle();
    served(3).send(1);
    await clock.settle();
    expect(promise.messages).toHaveLength(1);
    expect(texts).toEqual(["message 1"]);
    stop();
    await clock.settle();
    expect(closed).toBeUndefined();
    session.close();
    await promise.end;
    expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(2);
  });

  test("is made by createClient of a plain transport, as $session", async () => {
    const chat = createClient(ChatService, server.transport, { clock });
    collect(chat.subscribe({}));
    await clock.settle();
    expect(chat.$session.state.status).toBe("connecting");
    chat.$session.close();
    expect(() => createClient(ChatService, chat.$session, {} as never)).toThrow("options");
  });
});
