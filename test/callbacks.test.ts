import { setImmediate as turn } from "node:timers/promises";
import { Code, ConnectError, type ContextValues, type Transport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import * as browser from "../src/browser/index.js";
import type * as controlStream from "../src/control-stream/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import * as client from "../src/index.js";
import {
  type BuiltInReason,
  builtInReasons,
  createClient,
  createSession,
  type Extension,
  method,
  type Session,
  type SessionOptions,
  type StreamCallOptions,
} from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import type { Attached } from "../src/session/extension.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import type { HandedTo, In } from "./handed.js";
import { collect, createInMemoryServer, type InMemoryServer } from "./in-memory.js";

// Whatever an app hands in may be async, and may fail: it is told of, and in nobody's way.

/** Handed in for what it is, and not to be called: or, as a transport, with an error that is a stream's own affair. */
type Opaque =
  | readonly unknown[]
  | Transport
  | Date
  | Headers
  | AbortSignal
  | ContextValues
  | { readonly kind: string } // of a descriptor
  | NonNullable<SessionOptions["clock"]>;

/**
 * All callbacks of the public types: one that is added to them has no case below, and does not compile. `useStream` has its
 * own tests, with React; `farewell/node` gets none.
 */
type Handed =
  | HandedTo<Omit<typeof client, "createClient">, Opaque> // which gets what `createSession` gets
  | HandedTo<typeof browser, Opaque>
  | HandedTo<typeof controlStream, Opaque>
  | `session.${HandedTo<Session, Opaque>}`
  | `call${In<StreamCallOptions, Opaque>}`
  | `unary call${In<Pick<StreamCallOptions, "onHeader" | "onTrailer">, Opaque>}`
  | "an extension"
  | `extension.${keyof Attached}`
  | "the removal of extension.watch";

const own = new Error("own");

/** What TypeScript lets pass for an answer of any kind. */
type Fail = () => never;

/** Each way to fail. */
const ways: { readonly [way: string]: Fail } = {
  throws: () => {
    throw own;
  },
  "rejects at once": () => Promise.reject(own) as never,
  "rejects later": () => new Promise((_, reject) => setImmediate(reject, own)) as never,
};

let clock: FakeClock;
let server: InMemoryServer;
let reported: unknown[];

const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);
const events = ["unhandledRejection", "uncaughtException", "warning"] as const;

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer((router) => {
    router.rpc(ChatService.method.say, () => ({}));
  });
  reported = [];
  for (const event of events) process.on(event, note);
});
afterEach(async () => {
  await turn();
  for (const event of events) process.off(event, note);
  expect(uncaught.splice(0)).toEqual([]);
  expect(clock.sleepers).toBe(0);
});

function start(options: SessionOptions = {}) {
  const reportError = (error: unknown) => reported.push(error);
  const session = createSession(server.transport, { clock, reportError, ...options });
  return { session, chat: createClient(ChatService, session) };
}

/** A stream is opened, lost, and opened again; the session is closed. What was missed on the way is reported. */
async function goesOn(
  { session, chat }: ReturnType<typeof start>,
  options: StreamCallOptions = {},
  lostBy: unknown = new ConnectError("down", Code.Unavailable),
): Promise<void> {
  const stream = collect(chat.subscribe({}, options));
  await clock.settle();
  server.streams.at(-1)?.send(1);
  await clock.settle();
  server.streams.at(-1)?.end(lostBy);
  await clock.advance(60_000);
  server.streams.at(-1)?.send(2);
  await clock.settle();
  expect(stream.messages.map(({ id }) => id)).toEqual([1, 2]);
  session.close();
  expect(await stream.end).toMatchObject({ code: Code.Canceled });
  expect(server.live).toBe(0);
}

async function isTold(...args: Parameters<typeof goesOn>): Promise<void> {
  await goesOn(...args);
  await clock.settle();
  expect(reported).toContain(own);
}

/** The default decides, which ends the session, or brings the stream back. */
function ofPolicy(reason: BuiltInReason) {
  return async (fail: Fail) => {
    const { session, chat } = start({ policies: { [reason]: fail }, refresh: async () => {} });
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    server.streams[0]?.send(1);
    await clock.settle();
    server.streams[0]?.end(toConnectError({ reason }));
    await clock.advance(200_000);
    expect(reported).toContain(own);
    const ends = client.defaultPolicies[reason] === "end";
    expect([session.state.status, server.streams.length]).toEqual(ends ? ["ended", 1] : ["healthy", 2]);
    session.close();
    await stream.end;
  };
}

/** What fails a stream's own function is that stream's error, and nobody else's. */
function ofMethod(name: "position" | "run" | "resume" | "restart") {
  return async (fail: Fail) => {
    const others = { position: ({ id }: { id: number }) => id, resume: () => ({ room: "lobby" }) };
    const { session, chat } = start({
      methods: [method(ChatService.method.subscribe, { ...others, [name]: fail } as typeof others)],
    });
    const failed = collect(chat.subscribe({ room: "lobby" }));
    await clock.settle();
    server.streams[0]?.send(1);
    await clock.settle();
    server.streams[0]?.end(new ConnectError("down", Code.Unavailable));
    server.refuse = (_, attempt) => (attempt === 1 ? new ConnectError("too far", Code.OutOfRange) : undefined);
    await clock.advance(60_000);
    const error = await failed.end;
    if (fail === ways.throws) expect(error).toBe(own);
    else expect(error).toEqual(new TypeError("a promise came, where the answer is needed at once"));
    server.refuse = undefined;
    const other = collect(chat.subscribe({ room: "other" }));
    await clock.advance(60_000);
    expect(server.streams.at(-1)?.request.room).toBe("other");
    session.close();
    await other.end;
  };
}

function ofExtension(name: keyof Attached) {
  return async (fail: Fail) => {
    const { session, chat } = start({ extensions: [() => ({ [name]: fail })], refresh: async () => {} });
    const first = collect(chat.subscribe({}));
    await clock.settle();
    server.streams[0]?.end(toConnectError({ reason: "kicked" }));
    await first.end;
    session.restart();
    const second = collect(chat.subscribe({}));
    await clock.settle();
    server.streams[1]?.send(1);
    await clock.settle();
    server.streams[1]?.end(new ConnectError("expired", Code.Unauthenticated));
    await clock.advance(5_000);
    expect(server.streams).toHaveLength(3);
    session.close();
    await second.end;
    await clock.settle();
    expect(reported).toContain(own);
  };
}

/** What it throws fails the call, as with Connect. What it rejects with is reported. */
function ofHeaders(name: "onHeader" | "onTrailer", unary: boolean) {
  return async (fail: Fail) => {
    const { session, chat } = start();
    const options = { [name]: fail };
    const call = unary
      ? chat.say({}, options).catch((error: unknown) => error)
      : collect(chat.subscribe({}, options)).end;
    await clock.settle();
    server.streams[0]?.end();
    await clock.advance(60_000);
    server.streams[1]?.end(new ConnectError("full", Code.InvalidArgument));
    expect((await call) === own).toBe(fail === ways.throws);
    if (fail !== ways.throws) expect(reported).toEqual([own]);
    session.close();
  };
}

type Cases<H extends string> = { readonly [N in H]: (fail: Fail) => Promise<unknown> };

const policies = Object.fromEntries(
  builtInReasons.map((reason) => [`createSession.policies.${reason}`, ofPolicy(reason)]),
) as Cases<`createSession.policies.${BuiltInReason}`>;

const reasonListeners = Object.fromEntries(
  builtInReasons.map((reason) => {
    const name = `on${reason.charAt(0).toUpperCase()}${reason.slice(1)}` as `on${Capitalize<BuiltInReason>}`;
    return [`session.${name}`, (fail: Fail) => ofListener(reason, (session) => session[name](fail))];
  }),
) as Cases<`session.on${Capitalize<BuiltInReason>}`>;

async function ofListener(reason: BuiltInReason, add: (session: Session) => unknown): Promise<void> {
  const { session, chat } = start({ policies: { [reason]: { maxAttempts: 3 } }, refresh: async () => {} });
  add(session);
  await isTold({ session, chat }, {}, toConnectError({ reason }));
}

/** The detail counts as unreadable: the status says what it can. */
async function ofMapping(reasons: NonNullable<SessionOptions["reasons"]>): Promise<void> {
  const { session, chat } = start({ reasons });
  await goesOn({ session, chat }, {}, inOwnWords());
  expect(reported).toEqual([]);
}

function inOwnWords(): ConnectError {
  const value = { domain: "app", reason: "OUT" };
  return new ConnectError("out", Code.Unavailable, undefined, [{ desc: ErrorInfoSchema, value }]);
}

/** All of them: uses one that fails, and says what that has to leave alone, and who is told. */
const callbacks: Cases<Handed> = {
  ...policies,
  ...reasonListeners,
  "session.on": (fail) => ofListener("network", (session) => session.on("state", fail)),
  "session.stream": async (labelled) => {
    const { session } = start();
    const input = async function* () {
      yield {};
    };
    const opening = session.stream(
      ...([ChatService.method.subscribe, undefined, undefined, undefined, input(), undefined] as const),
      labelled,
    );
    await clock.settle();
    expect(server.streams).toHaveLength(1);
    expect(reported).toEqual([own]);
    session.close();
    await expect(opening).rejects.toMatchObject({ code: Code.Canceled });
  },
  "createSession.refresh": async (fail) => {
    const refresh = vi.fn<() => Promise<unknown>>(async () => {}).mockImplementationOnce(fail);
    await isTold(start({ refresh }), {}, new ConnectError("expired", Code.Unauthenticated));
    expect(refresh).toHaveBeenCalledTimes(2);
  },
  "createSession.expiresAt": (fail) => isTold(start({ refresh: async () => {}, expiresAt: fail })),
  "createSession.connection.state": (fail) => isTold(start({ connection: { state: fail } })),
  "createSession.reportError": async (fail) => {
    let asked = 0;
    const reportError = () => {
      asked++;
      return fail();
    };
    const { session, chat } = start({ reportError });
    session.on("connected", fail);
    await goesOn({ session, chat });
    expect(asked).toBe(1); // and not again of its own failure
  },
  "createSession.reasons.${string}.${string}.fields": (fields) =>
    ofMapping({ app: { OUT: { reason: "kicked", fields } } }),
  "classify.reasons.${string}.${string}.fields": async (fields) => {
    const reasons = { app: { OUT: { reason: "kicked", fields } } } as const;
    expect(client.classify({ error: inOwnWords() }, { reasons })?.reason).toBe("network");
  },
  "method.position": ofMethod("position"),
  "method.run": ofMethod("run"),
  "method.resume": ofMethod("resume"),
  "method.restart": ofMethod("restart"),
  "call.onHeader": ofHeaders("onHeader", false),
  "call.onTrailer": ofHeaders("onTrailer", false),
  "unary call.onHeader": ofHeaders("onHeader", true),
  "unary call.onTrailer": ofHeaders("onTrailer", true),
  "call.onLost": (onLost) => isTold(start(), { onLost }),
  "call.onReopened": (onReopened) => isTold(start(), { onReopened }),
  "call.onGap": (onGap) => {
    const position = ({ id }: { readonly id: number }) => id * 10;
    const resume = () => ({});
    return isTold(start({ methods: [method(ChatService.method.subscribe, { position, resume })] }), { onGap });
  },
  "browser.reportError": (reportError) => ofStorage((account) => browser.browser({ account, reportError })),
  "tabMemory.reportError": (reportError) => ofStorage((account) => browser.tabMemory({ account, reportError })),
  "an extension": (extension) => isTold(start({ extensions: [extension] })),
  "the removal of extension.watch": (fail) => isTold(start({ extensions: [() => ({ watch: () => fail })] })),
  "extension.pause": ofExtension("pause"),
  "extension.watch": ofExtension("watch"),
  "extension.recall": ofExtension("recall"),
  "extension.stepped": ofExtension("stepped"),
  "extension.turn": ofExtension("turn"),
  "extension.through": ofExtension("through"),
  "extension.refreshed": ofExtension("refreshed"),
  "extension.restarted": ofExtension("restarted"),
  "extension.closed": ofExtension("closed"),
};

/** A browser that forbids to remember anything is as one that cannot. */
async function ofStorage(extension: (account: string) => Extension): Promise<void> {
  vi.stubGlobal("localStorage", { getItem: ways.throws, setItem: ways.throws });
  vi.stubGlobal("BroadcastChannel", undefined);
  await goesOn(start({ extensions: [extension("anna")] }));
  vi.unstubAllGlobals();
}

describe.each(Object.entries(ways))("a callback that %s is told of, and in nobody's way:", (_, fail) => {
  test.each(Object.entries(callbacks))("%s", async (_, use) => {
    await use(fail);
  });
});
