import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService, MessageSchema } from "../examples/gen/chat/v1/chat_pb.js";
import {
  createClient,
  createSession,
  disconnectOf,
  method,
  retried,
  type Session,
  type SessionOptions,
} from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, listen } from "./in-memory.js";

// For servers that can only kick by cutting the stream, the app says what that means.

let clock: FakeClock;
let session: Session;
/** How each call on the transport fails, in the test's hand. */
let calls: ((error: unknown) => void)[];

beforeEach(() => {
  clock = createFakeClock();
  calls = [];
});

afterEach(async () => {
  session.close();
  await clock.settle();
  expect(clock.sleepers).toBe(0);
});

/** Its streams are open, with one message, until the test fails them; its unary calls have no answer until then. */
const transport: Transport = {
  unary: () => new Promise<never>((_, reject) => calls.push(reject)),
  stream: async (method) => {
    const failing = new Promise<never>((_, reject) => calls.push(reject));
    failing.catch(() => {});
    async function* message() {
      if (method.name !== "Upload") yield create(MessageSchema, { id: 1 });
      await failing;
    }
    const parts = { method, service: method.parent, header: new Headers(), trailer: new Headers(), message: message() };
    return { stream: true, ...parts } as never;
  },
};

function start(options: SessionOptions) {
  session = createSession(transport, { clock, rateLimit: false, ...options });
  return { chat: createClient(ChatService, session), ...listen(session) };
}

/** What RST_STREAM(INTERNAL_ERROR) is to connect-node: no status, and no metadata. */
const reset = () =>
  new ConnectError("Stream closed with error code NGHTTP2_INTERNAL_ERROR", Code.Internal, undefined, undefined);
const speaking = async function* () {
  yield { text: "hello" };
  await new Promise(() => {});
};

type Chat = ReturnType<typeof start>["chat"];
const resume = method(ChatService.method.talk, { resume: (first) => [first] });
const kinds: readonly [name: string, open: (chat: Chat) => Promise<unknown>, options?: SessionOptions][] = [
  ["server stream", (chat) => collect(chat.subscribe({})).end],
  ["bidi stream that is not reopened, such as a MagicOnion hub,", (chat) => collect(chat.talk(speaking())).end],
  ["bidi stream that is reopened", (chat) => collect(chat.talk(speaking())).end, { methods: [resume] }],
  ["client stream", (chat) => chat.upload(speaking()).catch((error: unknown) => error)],
];

describe.each(["kicked", "banned", "superseded"] as const)("where an abort means %s,", (reason) => {
  test.each(kinds)(
    "a %s that is cut ends the session, and nothing can be opened again",
    async (_, open, options = {}) => {
      const { chat, lines } = start({ abortedMeans: reason, ...options });
      const end = open(chat);
      await clock.settle();
      const error = reset();
      calls[0]?.(error);
      expect(await end).toBe(error);
      expect(disconnectOf(error)).toMatchObject({ reason, said: false, source: "transport" });
      expect(session.state).toMatchObject({ status: "ended", disconnect: { reason } });
      expect(lines.filter((line) => line.startsWith("ended"))).toHaveLength(1);
      expect(await open(chat)).toBe(error);
      expect(await collect(chat.subscribe({})).end).toBe(error);
      await clock.advance(600_000);
      expect(calls).toHaveLength(1);
    },
  );
});

describe("where an abort means a kick, it is none", () => {
  const hub = (chat: Chat) => collect(chat.talk(speaking())).end;

  test("if the server answered with a status, as it does for a handler that throws", async () => {
    const { chat, lines } = start({ abortedMeans: "kicked" });
    const end = hub(chat);
    await clock.settle();
    calls[0]?.(
      new ConnectError("Exception was thrown by handler.", Code.Unknown, { "content-type": "application/grpc" }),
    );
    expect(disconnectOf(await end)).toMatchObject({ reason: "aborted" });
    expect(lines).not.toContain("kicked");
    expect(session.state.status).not.toBe("ended");
  });

  test("if the path failed", async () => {
    const { chat } = start({ abortedMeans: "kicked" });
    const end = hub(chat);
    await clock.settle();
    calls[0]?.(new ConnectError("read ECONNRESET", Code.Unavailable));
    expect(disconnectOf(await end)).toMatchObject({ reason: "network" });
    expect(session.state.status).not.toBe("ended");
  });

  test.each(["CANCEL (0x8)", "NO_ERROR (0x0) before the response was received"])(
    "if the connection was lost, which connect-node reports as %s",
    async (words) => {
      const connection = { state: () => "closed" as const };
      const { chat } = start({ abortedMeans: "kicked", connection });
      const end = hub(chat);
      await clock.settle();
      calls[0]?.(new ConnectError(`http/2 stream closed with error code ${words}`, Code.Internal));
      expect(disconnectOf(await end)).toMatchObject({ reason: "network" });
      expect(session.state.status).not.toBe("ended");
    },
  );

  test("if an endless stream came to a clean end", async () => {
    const endless = method(ChatService.method.subscribe, { endless: true });
    session = createSession(
      {
        ...transport,
        stream: async (method) => {
          calls.push(() => {});
          const message = (async function* () {})();
          const parts = { method, service: method.parent, header: new Headers(), trailer: new Headers(), message };
          return { stream: true, ...parts } as never;
        },
      },
      { clock, abortedMeans: "kicked", methods: [endless] },
    );
    const { lines } = listen(session);
    void collect(createClient(ChatService, session).subscribe({})).end;
    await clock.settle();
    expect(lines).toContain("disconnected: aborted");
    expect(session.state.status).not.toBe("ended");
  });

  test("if it was a unary call that was cut: it is that call's error", async () => {
    const { chat, lines } = start({ abortedMeans: "kicked" });
    const said = chat.say({}).catch((error: unknown) => error);
    await clock.settle();
    const error = reset();
    calls[0]?.(error);
    expect(await said).toBe(error);
    expect(lines).toEqual([]);
    expect(session.state.status).toBe("idle");
  });

  test("if it was a unary call that is retried, first or in an outage: it is tried again as aborted", async () => {
    const { chat, lines } = start({ abortedMeans: "kicked", methods: [retried(ChatService.method.say)] });
    void chat.say({}).catch(() => {});
    await clock.settle();
    for (let n = 0; n < 3; n++) {
      calls.at(-1)?.(reset());
      await clock.advance(60_000);
      expect(calls).toHaveLength(n + 2);
    }
    expect(lines).toContain("disconnected: aborted");
    expect(session.state.status).not.toBe("ended");
  });
});
