import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, method, type Session, type StreamHooks, streamOf } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer } from "./in-memory.js";

// Of many streams, which one? Options of a call, and the label of what it returned.

let clock: FakeClock;
let server: InMemoryServer;
let session: Session;
let errors: unknown[];
const down = () => new ConnectError("down", Code.Unavailable);

beforeEach(() => {
  clock = createFakeClock();
  server = createInMemoryServer();
  errors = [];
  session = createSession(server.transport, {
    clock,
    reportError: (error) => errors.push(error),
    methods: [method(ChatService.method.subscribe, { position: ({ id }) => id })],
  });
});
afterEach(() => session.close());

/** Hooks that note what they are told. */
function noting(): StreamHooks & { readonly told: unknown[] } {
  const told: unknown[] = [];
  return {
    told,
    onLost: ({ disconnect }) => told.push(`lost: ${disconnect.reason}`),
    onReopened: ({ gap }) => told.push(`reopened, gap ${gap}`),
    onGap: ({ missed, reset }) => told.push(`gap of ${missed}${reset ? ", reset" : ""}`),
  };
}

/** Two rooms, each with a message; the one is cut. */
async function twoRooms(one: StreamHooks, other: StreamHooks) {
  const chat = createClient(ChatService, session);
  const streams = [chat.subscribe({ room: "one" }, one), chat.subscribe({ room: "other" }, other)] as const;
  for (const stream of streams) collect(stream);
  await clock.settle();
  for (const stream of server.streams) stream.send(1);
  await clock.settle();
  server.streams[0]?.end(down());
  await clock.advance(20_000);
  server.streams[2]?.send(4);
  await clock.settle();
  return streams;
}

describe("the options of a call", () => {
  test("tell of its own stream alone that it was lost, is open again, and what is missing", async () => {
    const [one, other] = [noting(), noting()];
    await twoRooms(one, other);
    expect(one.told).toEqual(["lost: network", "reopened, gap unknown", "gap of 2"]);
    expect(other.told).toEqual([]);
  });

  test("get what the session's events get, in the same order", async () => {
    const told: unknown[] = [];
    const events: unknown[] = [];
    for (const type of ["streamLost", "streamReopened", "streamGap"] as const)
      session.on(type, (payload) => events.push(payload));
    const note = (payload: unknown) => told.push(payload);
    await twoRooms({ onLost: note, onReopened: note, onGap: note }, {});
    expect(told).toHaveLength(3);
    expect(told).toEqual(events);
  });

  test("that throw, or reject, break nothing and are reported", async () => {
    const thrown = [new Error("onLost"), new Error("onReopened"), new Error("onGap")];
    await twoRooms(
      {
        onLost() {
          throw thrown[0];
        },
        onReopened: () => Promise.reject(thrown[1]),
        onGap: async () => {
          throw thrown[2];
        },
      },
      {},
    );
    expect(errors).toEqual(thrown);
    expect(session.state.status).toBe("recovering");
  });

  test("are there for bidi streams, too", async () => {
    const heard = noting();
    const transport = createRouterTransport(({ rpc }) => {
      rpc(ChatService.method.talk, async function* (requests) {
        for await (const { text } of requests) {
          yield { id: 1, text };
          if (text === "hi") throw down();
        }
      });
    });
    const entry = method(ChatService.method.talk, { resume: () => [{ text: "back" }] });
    const other = createSession(transport, { clock, methods: [entry] });
    async function* input() {
      yield { text: "hi" };
      await new Promise(() => {});
    }
    collect(createClient(ChatService, other).talk(input(), heard));
    await clock.advance(20_000);
    expect(heard.told).toEqual(["lost: network", "reopened, gap resumed"]);
    other.close();
  });
});

describe("streamOf", () => {
  test("gives the very label that events have", async () => {
    const heard: unknown[] = [];
    session.on("streamLost", ({ stream }) => heard.push(stream));
    const [one, other] = await twoRooms({}, {});
    expect(streamOf(one)).toEqual({ id: 1, name: "chat.v1.ChatService/Subscribe" });
    expect(streamOf(other)?.id).toBe(2);
    expect(heard).toEqual([streamOf(one)]);
    expect(heard[0]).toBe(streamOf(one));
  });

  test("knows a stream from the call on, also one that was canceled before it", () => {
    const heard: unknown[] = [];
    session.on("streamEnded", ({ stream }) => heard.push(stream));
    const stream = createClient(ChatService, session).subscribe({}, { signal: AbortSignal.abort() });
    collect(stream);
    expect(streamOf(stream)).toBe(heard[0]);
    expect(heard).toHaveLength(1);
  });

  test("is undefined for a call that was refused, and for what is no stream of a client", async () => {
    server.refuse = () => toConnectError({ reason: "banned" });
    const chat = createClient(ChatService, session);
    await collect(chat.subscribe({})).end;
    const refused = chat.subscribe({});
    await collect(refused).end;
    expect(streamOf(refused)).toBeUndefined();
    expect(streamOf((async function* () {})())).toBeUndefined();
  });
});
