import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ChatService, type TalkRequest } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, disconnectOf, method, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, listen } from "./in-memory.js";

/** An input that the test feeds by hand, and that notes when it is told to stop. */
function createInput<T>() {
  const results: IteratorResult<T>[] = [];
  let asked: ((result: IteratorResult<T>) => void) | undefined;
  let told = false;
  const put = (result: IteratorResult<T>) => {
    if (asked) asked(result);
    else results.push(result);
    asked = undefined;
  };
  const stop = async (): Promise<IteratorResult<T>> => {
    told = true;
    return { done: true, value: undefined };
  };
  const input: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => input,
    next: async () =>
      results.shift() ??
      new Promise((resolve) => {
        asked = resolve;
      }),
    return: stop,
    throw: stop,
  };
  return {
    input,
    send: (value: T) => put({ done: false, value }),
    finish: () => put({ done: true, value: undefined }),
    get told() {
      return told;
    },
  };
}

/** A server on which every talk notes what it hears, and answers it, until the test cuts it. */
function setUp(options: SessionOptions = {}) {
  const clock = createFakeClock();
  const talks: { readonly heard: TalkRequest[]; readonly cut: (error: unknown) => void }[] = [];
  const { transport } = createInMemoryServer((router) => {
    router.rpc(ChatService.method.talk, async function* (requests) {
      let cut: (error: unknown) => void = () => {};
      const cutting = new Promise<never>((_, reject) => {
        cut = reject;
      });
      cutting.catch(() => {});
      const heard: TalkRequest[] = [];
      talks.push({ heard, cut });
      const iterator = requests[Symbol.asyncIterator]();
      for (;;) {
        const { done, value } = await Promise.race([iterator.next(), cutting]);
        if (done) return;
        heard.push(value);
        yield { id: heard.length, text: `heard ${value.text}` };
      }
    });
  });
  const session = createSession(transport, { clock, ...options });
  return { clock, talks, session, chat: createClient(ChatService, session), ...listen(session) };
}

const followed = method(ChatService.method.talk, {
  resume: (first, last) => [{ room: first.room, text: `back after ${last?.text ?? "nothing"}` }],
});

test("a bidi stream is reopened by its preamble, and live input goes on", async () => {
  const { clock, talks, session, chat } = setUp({ methods: [followed] });
  const mouth = createInput<{ room?: string; text: string }>();
  const { messages, end } = collect(chat.talk(mouth.input));
  mouth.send({ room: "lobby", text: "hello" });
  await clock.settle();
  mouth.send({ text: "one" });
  await clock.settle();
  talks[0]?.cut(new ConnectError("down", Code.Unavailable));
  await clock.settle();
  mouth.send({ text: "said while the line was down" });
  await clock.advance(750);
  mouth.send({ text: "two" });
  await clock.settle();
  expect(talks[1]?.heard.map(({ room, text }) => `${room}: ${text}`)).toEqual([
    "lobby: back after heard one",
    ": said while the line was down",
    ": two",
  ]);
  mouth.finish();
  await clock.settle();
  expect(await end).toBeUndefined();
  expect(messages.map(({ text }) => text).slice(0, 2)).toEqual(["heard hello", "heard one"]);
  expect(messages.at(-1)?.text).toBe("heard two");
  session.close();
  expect(clock.sleepers).toBe(0);
});

test("a bidi stream without resume throws what Connect threw, and its loss concerns no one else", async () => {
  const { clock, talks, session, chat, lines } = setUp();
  const mouth = createInput<{ text: string }>();
  const { end } = collect(chat.talk(mouth.input));
  mouth.send({ text: "hello" });
  await clock.settle();
  talks[0]?.cut(new ConnectError("down", Code.Unavailable));
  expect(await end).toMatchObject({ code: Code.Unavailable, rawMessage: "down" });
  await clock.advance(600_000);
  expect(talks).toHaveLength(1);
  expect(lines.at(-1)).toBe("streamEnded: 1 stopped");
  expect(mouth.told).toBe(true);
  session.close();
});

test("a verdict on a bidi stream ends the session, and its input is told", async () => {
  const { clock, talks, session, chat } = setUp({ methods: [followed] });
  const mouth = createInput<{ text: string }>();
  const { end } = collect(chat.talk(mouth.input));
  mouth.send({ text: "hello" });
  await clock.settle();
  talks[0]?.cut(toConnectError({ reason: "superseded", by: "phone" }));
  expect(disconnectOf(await end)).toMatchObject({ reason: "superseded", by: "phone" });
  await clock.settle();
  expect(mouth.told).toBe(true);
  expect(session.state.status).toBe("ended");
});

test("canceling a bidi stream while it waits opens nothing more and frees its input", async () => {
  const { clock, talks, session, chat } = setUp({ methods: [followed] });
  const mouth = createInput<{ text: string }>();
  const controller = new AbortController();
  const { end } = collect(chat.talk(mouth.input, { signal: controller.signal }));
  mouth.send({ text: "hello" });
  await clock.settle();
  talks[0]?.cut(new ConnectError("down", Code.Unavailable));
  await clock.settle();
  controller.abort();
  expect(await end).toMatchObject({ code: Code.Canceled });
  await clock.advance(600_000);
  expect(talks).toHaveLength(1);
  expect(mouth.told).toBe(true);
  session.close();
});

test("client streams and unary calls pass through", async () => {
  const clock = createFakeClock();
  const { transport } = createInMemoryServer((router) => {
    router.rpc(ChatService.method.upload, async (requests) => {
      let count = 0;
      for await (const _ of requests) count++;
      return { count };
    });
    router.rpc(ChatService.method.say, ({ text }) => ({ id: text.length }));
  });
  const session = createSession(transport, { clock });
  const { lines } = listen(session);
  const chat = createClient(ChatService, session);
  const three = async function* () {
    for (const text of ["a", "b", "c"]) yield { text };
  };
  expect(await chat.upload(three())).toMatchObject({ count: 3 });
  expect(await chat.say({ text: "four" })).toMatchObject({ id: 4 });
  expect(lines.at(-1)).toBe("streamEnded: 1 complete");
  session.close();
});
