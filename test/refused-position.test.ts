import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, method, type Session, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, listen } from "./in-memory.js";

// A server that no longer knows the position that a stream asks it to go on from.

let clock: FakeClock;
const sessions: Session[] = [];
const { subscribe } = ChatService.method;
const down = () => new ConnectError("down", Code.Unavailable);
const gone = (code = Code.OutOfRange) => new ConnectError("no such position", code);
const resume = (request: object, last: { id: number }) => ({ ...request, afterId: last.id });
const restart = (error: unknown) => ConnectError.from(error).rawMessage === "no such position";

beforeEach(() => {
  clock = createFakeClock();
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.close();
  await clock.settle();
  expect(clock.sleepers).toBe(0);
});

/** A stream that has had message 5 and was lost: the server refuses to go on after it. */
async function refused(options: SessionOptions, refusal: unknown = gone()) {
  const server = createInMemoryServer();
  const session = createSession(server.transport, { clock, ...options });
  sessions.push(session);
  const heard = listen(session);
  const stream = collect(createClient(ChatService, session).subscribe({ room: "lobby", afterId: 4 }));
  await clock.settle();
  server.streams[0]?.send(5);
  server.refuse = ({ afterId }) => (afterId === 5 ? refusal : undefined);
  server.streams[0]?.end(down());
  await clock.advance(1_000);
  const ids = () => stream.messages.map(({ id }) => id);
  const asked = () => server.streams.map(({ request }) => request.afterId);
  return { server, session, ids, asked, end: stream.end, ...heard };
}

test.each([Code.OutOfRange, Code.FailedPrecondition, Code.NotFound, Code.InvalidArgument])(
  "a position refused with code %i leads to the beginning, where restart says so, and to a gap of unknown size",
  async (code) => {
    const { server, session, ids, asked, lines } = await refused(
      { methods: [method(subscribe, { resume, restart })] },
      gone(code),
    );
    await clock.settle();
    expect(asked()).toEqual([4, 5, 4]);
    server.streams[2]?.send(9);
    await clock.settle();
    expect(ids()).toEqual([5, 9]);
    const told = lines.slice(lines.indexOf("reconnected: after 1, gap unknown") + 1);
    expect(told).toEqual(["streamReopened: 1 gap unknown", "streamGap: 1 missed ?"]);
    expect(session.state.status).toBe("recovering");
    session.close();
  },
);

test("a refused position throws what the server said, where restart is not given, or says no", async () => {
  for (const entry of [method(subscribe, { resume }), method(subscribe, { resume, restart: () => false })]) {
    const refusal = gone();
    const { asked, end, lines } = await refused({ methods: [entry] }, refusal);
    expect(await end).toMatchObject({ code: Code.OutOfRange, rawMessage: "no such position" });
    expect(asked()).toEqual([4, 5]);
    expect(lines.at(-1)).toBe("streamEnded: 1 failed");
  }
});

test("a stream begins anew once: what is refused without a position throws", async () => {
  const { server, asked, end } = await refused(
    { methods: [method(subscribe, { resume, restart: () => true })] },
    down(),
  );
  server.refuse = () => gone();
  await clock.advance(20_000);
  expect(await end).toMatchObject({ code: Code.OutOfRange });
  expect(asked().slice(-2)).toEqual([5, 4]);
});

test("a refusal after the first message is none of the position", async () => {
  const { server, end, asked } = await refused(
    { methods: [method(subscribe, { resume, restart: () => true })] },
    down(),
  );
  server.refuse = undefined;
  await clock.advance(20_000);
  const last = server.streams.at(-1);
  last?.send(6);
  await clock.settle();
  last?.end(gone());
  expect(await end).toMatchObject({ code: Code.OutOfRange });
  expect(asked().slice(-1)).toEqual([5]);
});

test("restart is not asked about what is a disconnect", async () => {
  const asked: unknown[] = [];
  const entry = method(subscribe, { resume, restart: (error) => asked.push(error) > 0 });
  const { session, end } = await refused({ methods: [entry] }, toConnectError({ reason: "kicked" }));
  expect(await end).toMatchObject({ code: Code.PermissionDenied });
  expect(asked).toEqual([]);
  expect(session.state.status).toBe("ended");
});

test("a loss on the way to the beginning changes nothing, and after its first message the stream resumes as before", async () => {
  const { server, ids, asked, lines } = await refused({ methods: [method(subscribe, { resume, restart })] });
  server.streams[2]?.end(down());
  await clock.advance(5_000);
  expect(asked()).toEqual([4, 5, 4, 4]);
  server.streams[3]?.send(9);
  server.streams[3]?.end(down());
  await clock.advance(20_000);
  expect(asked()).toEqual([4, 5, 4, 4, 9]);
  server.streams[4]?.send(10);
  await clock.settle();
  expect(ids()).toEqual([5, 9, 10]);
  expect(lines.filter((line) => line.startsWith("streamGap"))).toEqual(["streamGap: 1 missed ?"]);
  expect(lines.at(-1)).toBe("streamReopened: 1 gap resumed");
});

test("with positions, what is repeated from the beginning is dropped, and a server that counts anew is told as that", async () => {
  const entry = method(subscribe, { resume, restart, position: ({ id }) => id });
  const replaying = await refused({ methods: [entry] });
  for (const id of [5, 6]) replaying.server.streams[2]?.send(id);
  await clock.settle();
  expect(replaying.ids()).toEqual([5, 6]);
  expect(replaying.lines.at(-1)).toBe("streamGap: 1 missed ?");

  const anew = await refused({ methods: [entry] });
  for (const id of [1, 2]) anew.server.streams[2]?.send(id);
  await clock.settle();
  expect(anew.ids()).toEqual([5, 1, 2]);
  expect(anew.lines.at(-1)).toBe("streamGap: 1 missed ?, reset");
});

test("what restart throws ends the stream", async () => {
  const mistake = new Error("a mistake in restart");
  const entry = method(subscribe, {
    resume,
    restart() {
      throw mistake;
    },
  });
  const { end, lines } = await refused({ methods: [entry] });
  expect(await end).toBe(mistake);
  expect(lines.at(-1)).toBe("streamEnded: 1 failed");
});

test("a session that is closed in restart opens nothing more", async () => {
  const server = createInMemoryServer();
  const closes = () => {
    session.close();
    return true;
  };
  const session = createSession(server.transport, { clock, methods: [method(subscribe, { resume, restart: closes })] });
  const { end } = collect(createClient(ChatService, session).subscribe({}));
  await clock.settle();
  server.streams[0]?.send(5);
  server.refuse = () => gone();
  server.streams[0]?.end(down());
  await clock.advance(20_000);
  expect(await end).toMatchObject({ code: Code.Canceled });
  expect(server.streams).toHaveLength(2);
});

test("a bidi stream begins anew, too: its resume gets no last message", async () => {
  const opened: unknown[] = [];
  const server = createInMemoryServer((router) => {
    router.rpc(ChatService.method.talk, async function* (requests) {
      for await (const { text } of requests) {
        opened.push(text);
        if (text === "after 7") throw gone();
        yield { id: 7, text: "hello" };
        if (text === "hi") throw down();
      }
    });
  });
  const entry = method(ChatService.method.talk, {
    resume: (_, last) => [{ text: last ? `after ${last.id}` : "from the beginning" }],
    restart,
  });
  const session = createSession(server.transport, { clock, methods: [entry] });
  sessions.push(session);
  const { lines } = listen(session);
  async function* input() {
    yield { text: "hi" };
    await new Promise(() => {});
  }
  const { messages } = collect(createClient(ChatService, session).talk(input()));
  await clock.advance(20_000);
  expect(opened).toEqual(["hi", "after 7", "from the beginning"]);
  expect(messages).toHaveLength(2);
  expect(lines).toContain("streamGap: 1 missed ?");
});
