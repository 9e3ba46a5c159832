import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient as createConnectClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ChatService, SayRequestSchema, SubscribeRequestSchema } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, method, retried, type Session, type SessionOptions } from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer } from "./in-memory.js";

// What a caller hands in is taken when the call is made: what becomes of the object later is the caller's own.

let clock: FakeClock;
let session: Session;
const down = () => new ConnectError("down", Code.Unavailable);

beforeEach(() => {
  clock = createFakeClock();
});
afterEach(() => session.close());

function setUp(options: SessionOptions = {}) {
  const said: string[] = [];
  const server = createInMemoryServer((router) => {
    router.rpc(ChatService.method.say, ({ text }, { requestHeader }) => {
      said.push(`${text}, ${requestHeader.get("x-who")}`);
      if (said.length === 1) throw down();
      return {};
    });
  });
  session = createSession(server.transport, { clock, ...options });
  const asked = () =>
    server.streams.map(({ request, context }) => `${request.room} ${context.requestHeader.get("x-who")}`);
  const cut = async () => {
    server.streams.at(-1)?.end(down());
    await clock.advance(20_000);
  };
  return { server, said, asked, cut };
}

test.each([
  ["a message", () => create(SubscribeRequestSchema, { room: "lobby" })],
  ["a plain object", () => ({ room: "lobby" })],
])("a stream's request and headers are those of the call, given as %s and changed after it", async (_, make) => {
  const { asked, cut } = setUp();
  const request = make();
  const headers = new Headers({ "x-who": "ann" });
  collect(createClient(ChatService, session).subscribe(request, { headers }));
  request.room = "changed";
  headers.set("x-who", "changed");
  await clock.settle();
  await cut();
  expect(asked()).toEqual(["lobby ann", "lobby ann"]);
});

test("so they are of Connect's own client, changed once the call is on its way", async () => {
  const { asked, cut } = setUp();
  const request = create(SubscribeRequestSchema, { room: "lobby" });
  collect(createConnectClient(ChatService, session).subscribe(request));
  await clock.settle();
  request.room = "changed";
  await cut();
  expect(asked()).toEqual(["lobby null", "lobby null"]);
});

test("a stream that has to wait before it goes out takes its request when it is called", async () => {
  const { server, asked } = setUp();
  const chat = createClient(ChatService, session);
  collect(chat.subscribe({ room: "lobby" }));
  await clock.settle();
  server.streams[0]?.end(down());
  await clock.settle();
  const request = create(SubscribeRequestSchema, { room: "late" });
  collect(chat.subscribe(request));
  request.room = "changed";
  await clock.advance(20_000);
  expect(asked()).toEqual(["lobby null", "lobby null", "late null"]);
});

test("the first message of a bidi stream is kept as it was sent", async () => {
  const opened: string[] = [];
  const server = createInMemoryServer((router) => {
    router.rpc(ChatService.method.talk, async function* (requests) {
      for await (const { room } of requests) {
        opened.push(room);
        yield { id: opened.length };
        if (opened.length === 1) throw down();
      }
    });
  });
  session = createSession(server.transport, {
    clock,
    methods: [method(ChatService.method.talk, { resume: (first) => [first] })],
  });
  const first = { room: "lobby" };
  async function* input() {
    yield first;
    await new Promise(() => {});
  }
  collect(createClient(ChatService, session).talk(input()));
  await clock.settle();
  first.room = "changed";
  await clock.advance(20_000);
  expect(opened).toEqual(["lobby", "lobby"]);
});

test("what an interceptor, or resume, does to a request is not in the next one", async () => {
  const { asked, cut, server } = setUp({
    methods: [
      method(ChatService.method.subscribe, {
        resume(request) {
          request.room += "!";
          return request;
        },
      }),
    ],
  });
  collect(createClient(ChatService, session).subscribe({ room: "lobby" }));
  await clock.settle();
  server.streams[0]?.send(1);
  await clock.settle();
  await cut();
  await cut();
  expect(asked()).toEqual(["lobby null", "lobby! null", "lobby! null"]);
});

test("a request that cannot be made rejects the stream, as it does with Connect", async () => {
  setUp();
  const wrong = { $typeName: "chat.v1.SubscribeRequest", room: 7 } as never;
  const { end } = collect(createClient(ChatService, session).subscribe(wrong));
  await clock.settle();
  expect(await end).toBeInstanceOf(ConnectError);
});

test.each([
  ["Connect", createConnectTransport],
  ["gRPC-Web", createGrpcWebTransport],
])(
  "a unary call over %s sends the request and the headers of the call, changed in the same tick",
  async (_, transportOf) => {
    const bodies: string[] = [];
    const slow: Interceptor = (next) => async (call) => {
      await Promise.resolve();
      return next(call);
    };
    const transport = transportOf({
      baseUrl: "http://nowhere",
      interceptors: [slow],
      fetch: async (_, init) => {
        const { body, headers } = init ?? {};
        bodies.push(`${new TextDecoder().decode(body as Uint8Array)} ${new Headers(headers).get("x-who")}`);
        throw new TypeError("fetch failed");
      },
    });
    session = createSession(transport, { clock });
    const request = create(SayRequestSchema, { text: "hello" });
    const headers = new Headers({ "x-who": "ann" });
    const calling = createClient(ChatService, session).say(request, { headers });
    request.text = "changed";
    headers.set("x-who", "changed");
    await expect(calling).rejects.toThrow(ConnectError);
    expect(bodies.join()).toContain("hello");
    expect(bodies.join()).toMatch(/ ann$/);
  },
);

test("a retried call repeats what it was given at the call", async () => {
  const { said } = setUp({ methods: [retried(ChatService.method.say)] });
  const request = create(SayRequestSchema, { text: "hello" });
  const headers = new Headers({ "x-who": "ann" });
  const calling = createClient(ChatService, session).say(request, { headers });
  await clock.settle();
  request.text = "changed";
  headers.set("x-who", "changed");
  await clock.advance(20_000);
  await calling;
  expect(said).toEqual(["hello, ann", "hello, ann"]);
});
