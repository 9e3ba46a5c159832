import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, reauthenticated, type SessionOptions, signsIn } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { collect } from "./in-memory.js";
import { createTokenWorld, expired, hang, type TokenWorld } from "./tokens.js";

// Unary calls, beside a session that gets new credentials.

let world: TokenWorld;

beforeEach(() => {
  world = createTokenWorld();
});

afterEach(() => world.leavesNothing());

const outcomeOf = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error) => ConnectError.from(error).code,
  );

/** A session whose refresh takes a second, and is on its way. */
async function whileRefreshing(options: SessionOptions = {}, then: () => unknown = () => world.grant(60_000)) {
  const refresh = world.refresh(async (signal) => {
    await world.clock.sleep(1_000, signal);
    return then();
  });
  const started = world.start({ refresh, ...options });
  const stream = collect(started.chat.subscribe({}));
  await world.clock.settle();
  world.grant(0);
  world.server.streams[0]?.end(expired());
  await world.clock.settle();
  expect(world.refreshes).toHaveLength(1);
  return { ...started, stream };
}

describe("a unary call while credentials are refreshed", () => {
  test("waits, and goes out with the new ones", async () => {
    const { session, chat } = await whileRefreshing();
    const outcome = outcomeOf(chat.say({}));
    await world.clock.advance(999);
    expect(world.said).toEqual([]);
    await world.clock.advance(1);
    expect(await outcome).toBe("answered");
    expect(world.said).toEqual([true]);
    expect(world.refreshes).toHaveLength(1);
    session.close();
  });

  test("is one with a client stream in that", async () => {
    const { session, chat } = await whileRefreshing();
    const outcome = outcomeOf(chat.upload(createAsyncIterable([{}])));
    await world.clock.advance(999);
    expect(world.said).toEqual([]);
    await world.clock.advance(1);
    expect(await outcome).toBe("answered");
    expect(world.said).toEqual([true]);
    session.close();
  });

  test("waits for the next one, too, where it is tried again, or after a pause", async () => {
    const { clock, device } = world;
    const { session, chat } = await whileRefreshing({}, () => {
      if (world.refreshes.length === 1) throw new Error("no");
      world.grant(60_000);
    });
    const first = outcomeOf(chat.say({}));
    await clock.advance(1_100); // it has failed
    const second = outcomeOf(chat.say({}));
    device.become("asleep");
    await clock.advance(60_000);
    expect(world.said).toEqual([]);
    device.become(undefined);
    await clock.advance(5_000);
    expect([await first, await second]).toEqual(["answered", "answered"]);
    expect(world.said).toEqual([true, true]);
    session.close();
  });

  test("goes out as it is when the streams that waited for credentials have left", async () => {
    const { clock, server } = world;
    const { session, chat } = world.start({ refresh: () => Promise.reject(new Error("no")) });
    const caller = new AbortController();
    const { end } = collect(chat.subscribe({}, { signal: caller.signal }));
    await clock.settle();
    world.grant(0);
    server.streams[0]?.end(expired());
    await clock.settle(); // the refresh is to be tried again
    const outcome = outcomeOf(chat.say({}));
    await clock.settle();
    expect(world.said).toEqual([]);
    caller.abort();
    expect(await outcome).toBe(Code.Unauthenticated);
    await end;
    session.close();
  });

  test("waits no longer than for the next one, where retry() gives it up after the streams have left", async () => {
    const { clock, server } = world;
    const refresh = world.refresh((signal) => (world.refreshes.length === 1 ? hang(signal) : world.grant(60_000)));
    const { session, chat } = world.start({ refresh });
    const caller = new AbortController();
    const { end } = collect(chat.subscribe({}, { signal: caller.signal }));
    await clock.settle();
    world.grant(0);
    server.streams[0]?.end(expired());
    await clock.settle();
    const outcome = outcomeOf(chat.say({}));
    caller.abort();
    await clock.advance(1_000);
    session.retry();
    expect(await outcome).toBe("answered");
    expect(world.refreshes).toHaveLength(2);
    await end;
    session.close();
  });

  test("leaves no timer where its caller cancels it", async () => {
    const { session, chat } = await whileRefreshing({}, () => world.grant(60_000));
    const { sleepers } = world.clock;
    const caller = new AbortController();
    const outcome = outcomeOf(chat.say({}, { signal: caller.signal, timeoutMs: 60_000 }));
    await world.clock.settle();
    expect(world.clock.sleepers).toBe(sleepers + 1);
    caller.abort();
    expect(await outcome).toBe(Code.Canceled);
    expect(world.clock.sleepers).toBe(sleepers);
    session.close();
  });

  test("is over when its time is up, which it waits in, too", async () => {
    const { session, chat } = await whileRefreshing();
    const outcome = outcomeOf(chat.say({}, { timeoutMs: 500 }));
    await world.clock.advance(500);
    expect(await outcome).toBe(Code.DeadlineExceeded);
    await world.clock.advance(1_000);
    expect(world.said).toEqual([]);
    session.close();
  });

  test("is over when its caller cancels it, and when the session ends", async () => {
    const { session, chat, stream } = await whileRefreshing({}, () => false);
    const caller = new AbortController();
    const canceled = outcomeOf(chat.say({}, { signal: caller.signal }));
    const ended = chat.say({}).catch((error) => error);
    await world.clock.settle();
    caller.abort();
    expect(await canceled).toBe(Code.Canceled);
    await world.clock.advance(1_000);
    expect(session.state.status).toBe("ended");
    expect(await ended).toBe(await stream.end);
    expect(world.said).toEqual([]);
  });
});

describe("what refresh itself calls on the session", () => {
  const forms: { readonly [form: string]: (signal: AbortSignal, chat: Chat) => Promise<unknown> } = {
    "with its signal": (signal, chat) => chat.say({}, { signal }),
    "on a method that signs in": (_, chat) => chat.say({}),
  };
  type Chat = ReturnType<TokenWorld["start"]>["chat"];

  test.each(Object.keys(forms))(
    "%s never waits for itself, starts no other, and does not end the session",
    async (form) => {
      let answer = (): unknown => ({ id: 1 });
      const { clock, server } = world;
      const own: unknown[] = [];
      const transport = {
        ...server.transport,
        unary: async () => {
          own.push(answer());
          return { stream: false, message: own.at(-1) } as unknown as UnaryResponse;
        },
      } as unknown as typeof server.transport;
      const methods = form.includes("method") ? [signsIn(ChatService.method.say)] : [reauthenticated()];
      const session = createSession(transport, {
        ...{ clock, methods, reportError: (error) => world.errors.push(error) },
        refresh: world.refresh(async (signal) => {
          await forms[form]?.(signal, chat);
          world.grant(60_000);
        }),
      });
      const chat = createClient(ChatService, session);
      collect(chat.subscribe({}));
      await clock.settle();
      answer = () => {
        throw world.refreshes.length === 1 ? toConnectError({ reason: "banned" }) : expired();
      };
      world.grant(0);
      server.streams[0]?.end(expired());
      await clock.settle();
      expect(world.refreshes).toHaveLength(1);
      expect(session.state.status).toBe("waiting"); // it has failed, and is tried again
      await clock.advance(1_600);
      expect(world.refreshes).toHaveLength(2);
      expect(session.state.status).toBe("waiting");
      answer = () => ({ id: 1 });
      await clock.advance(10_000);
      expect(server.live).toBe(1);
      expect(own).toHaveLength(1);
      session.close();
    },
  );

  test("over the transport that it gets is no part of the session", async () => {
    const { clock, server } = world;
    let transport: unknown;
    const { session, chat } = world.start({
      refresh: async (_, context) => {
        transport = context.transport;
        await createClient(ChatService, context.transport)
          .say({})
          .catch(() => {});
        world.grant(60_000);
      },
    });
    collect(chat.subscribe({}));
    await clock.settle();
    world.grant(0);
    server.streams[0]?.end(expired());
    await clock.advance(5_000);
    expect(transport).toBe(server.transport);
    expect(world.said).toEqual([false]);
    expect(server.live).toBe(1);
    session.close();
  });
});

describe("session.refresh()", () => {
  test("shares the flight that is on its way, and resolves with true", async () => {
    const { session } = await whileRefreshing();
    const answers = [session.refresh(), session.refresh()];
    await world.clock.advance(1_000);
    expect(await Promise.all(answers)).toEqual([true, true]);
    expect(world.refreshes).toHaveLength(1);
    session.close();
  });

  test("asks where nothing was refused, and no stream notices", async () => {
    const { session, chat, lines } = world.start({ refresh: world.refresh(() => world.grant(60_000)) });
    collect(chat.subscribe({}));
    await world.clock.settle();
    const before = [...lines];
    expect(await session.refresh()).toBe(true);
    expect(world.refreshes).toHaveLength(1);
    expect(lines).toEqual(before);
    session.close();
  });

  test("resolves with false where the user is signed out, and then the session has ended", async () => {
    const { session, chat } = world.start({ refresh: async () => false });
    const { end } = collect(chat.subscribe({}));
    await world.clock.settle();
    expect(await session.refresh()).toBe(false);
    expect(session.state).toMatchObject({ status: "ended", disconnect: { reason: "unauthenticated", said: false } });
    expect(await end).toMatchObject({ code: Code.Unauthenticated });
    await expect(session.refresh()).rejects.toBe(await end);
  });

  test("rejects with what refresh throws, without a refresh, and once the session is closed", async () => {
    const no = new Error("no");
    const { session, lines } = world.start({ refresh: () => Promise.reject(no) });
    await expect(session.refresh()).rejects.toBe(no);
    expect(lines).toEqual(["refreshFailed: #1, again in undefined ms"]);
    expect(session.state.status).toBe("idle");
    session.close();
    await expect(session.refresh()).rejects.toMatchObject({ code: Code.Canceled });
    const { session: without } = world.start();
    await expect(without.refresh()).rejects.toThrow(TypeError);
    without.close();
  });

  test("is answered by the flight after a pause, where that gave its own up", async () => {
    const { session } = await whileRefreshing();
    const answer = session.refresh();
    world.device.become("asleep");
    await world.clock.advance(60_000);
    world.device.become(undefined);
    await world.clock.advance(5_000);
    expect(await answer).toBe(true);
    expect(world.refreshes).toHaveLength(2);
    session.close();
  });

  test("is answered by the next flight, too, where the streams have left in the pause", async () => {
    const { clock, device } = world;
    const refresh = world.refresh((signal) => (world.refreshes.length === 1 ? hang(signal) : world.grant(60_000)));
    const { session, chat } = world.start({ refresh });
    const caller = new AbortController();
    const { end } = collect(chat.subscribe({}, { signal: caller.signal }));
    await clock.settle();
    const answer = session.refresh();
    device.become("asleep");
    caller.abort();
    await end;
    expect(await answer).toBe(true);
    expect(world.refreshes).toHaveLength(2);
    session.close();
  });

  test("rejects when the session is closed meanwhile, and its signal aborts", async () => {
    const { session } = world.start({ refresh: world.refresh(hang) });
    const answer = session.refresh();
    session.close();
    await expect(answer).rejects.toMatchObject({ code: Code.Canceled });
    expect(world.refreshes.map(({ aborted }) => aborted)).toEqual([true]);
  });
});

describe("a unary call that is answered unauthenticated", () => {
  const renewing = () => world.refresh(() => world.grant(60_000));

  test("is the caller's affair by default", async () => {
    const { session, chat } = world.start({ refresh: renewing() });
    world.grant(0);
    expect(await outcomeOf(chat.say({}))).toBe(Code.Unauthenticated);
    expect(world.refreshes).toHaveLength(0);
    session.close();
  });

  test.each([
    ["all methods", [reauthenticated()]],
    ["its method", [reauthenticated(ChatService.method.say)]],
  ])("starts a refresh and is sent once more, where the app says so for %s", async (_, methods) => {
    const { session, chat } = world.start({ methods, refresh: renewing() });
    world.grant(0);
    expect(await Promise.all([outcomeOf(chat.say({})), outcomeOf(chat.say({}))])).toEqual(["answered", "answered"]);
    expect(world.said).toEqual([false, false, true, true]);
    expect(world.refreshes).toHaveLength(1);
    session.close();
  });

  test("is sent no third time, and a polling app does not ask for credentials each time", async () => {
    const { clock } = world;
    const { session, chat } = world.start({ methods: [reauthenticated()], refresh: world.refresh(() => {}) });
    world.grant(0);
    expect(await outcomeOf(chat.say({}))).toBe(Code.Unauthenticated);
    expect(world.said).toEqual([false, false]);
    for (let n = 0; n < 600; n++) {
      await outcomeOf(chat.say({}));
      await clock.advance(1_000);
    }
    expect(world.refreshes.length).toBeLessThan(25);
    world.grant(60_000);
    expect(await outcomeOf(chat.say({}))).toBe("answered");
    session.close();
  });

  test("ends with its own error where the refresh fails, or the user is signed out", async () => {
    const { session, chat } = world.start({
      methods: [reauthenticated()],
      refresh: world.refresh(() => {
        if (world.refreshes.length === 1) throw new Error("no");
        return false;
      }),
    });
    world.grant(0);
    expect(await outcomeOf(chat.say({}))).toBe(Code.Unauthenticated);
    expect(session.state.status).toBe("idle");
    await world.clock.advance(60_000);
    expect(await outcomeOf(chat.say({}))).toBe(Code.Unauthenticated);
    expect(session.state.status).toBe("ended");
    expect(world.said).toEqual([false, false]);
  });

  test("is over when its caller cancels it, or its time is up, while it waits", async () => {
    const { clock } = world;
    const { session, chat } = world.start({ methods: [reauthenticated()], refresh: world.refresh(hang) });
    world.grant(0);
    const caller = new AbortController();
    const canceled = outcomeOf(chat.say({}, { signal: caller.signal }));
    const late = outcomeOf(chat.say({}, { timeoutMs: 5_000 }));
    await clock.advance(1_000);
    caller.abort();
    expect(await canceled).toBe(Code.Canceled);
    await clock.advance(4_000);
    expect(await late).toBe(Code.DeadlineExceeded);
    session.close();
  });

  test("ends the session where it was a verdict", async () => {
    const { session, chat } = world.start({ methods: [reauthenticated()], refresh: renewing() });
    world.server.refuse = undefined;
    const { end } = collect(chat.subscribe({}));
    await world.clock.settle();
    world.server.streams[0]?.end(toConnectError({ reason: "kicked" }));
    await end;
    expect(await outcomeOf(chat.say({}))).toBe(Code.PermissionDenied);
    expect(world.refreshes).toHaveLength(0);
    session.close();
  });
});
