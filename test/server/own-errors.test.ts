import {
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
  type Interceptor,
  type StreamResponse,
} from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { classify } from "../../src/index.js";
import { createBouncer, toConnectError, verdictOf, type Words } from "../../src/server/index.js";
import { goodbyesFor, goodbyesOf } from "../../src/server/words/goodbye.js";
import { createFakeClock } from "../../src/testing/index.js";

// Interceptors in front of the bouncer see the errors that it throws, and may write to them.

/** Writes the caller's name into the metadata of each error, as a tracing interceptor may do. */
const marking: Interceptor = (next) => async (request) => {
  const mark = (error: unknown) => {
    if (error instanceof ConnectError) error.metadata.append("for", request.header.get("user") ?? "");
    return error;
  };
  try {
    const response = await next(request);
    if (!response.stream) return response;
    const { message } = response;
    async function* marked() {
      try {
        yield* message;
      } catch (error) {
        throw mark(error);
      }
    }
    return { ...response, message: marked() } as StreamResponse;
  } catch (error) {
    throw mark(error);
  }
};

function open() {
  const clock = createFakeClock();
  const bouncer = createBouncer({
    identify: ({ header }) => ({ user: header.get("user") ?? undefined, tags: ["all"] }),
    clock,
  });
  const transport = createRouterTransport(
    (router) =>
      router.service(ChatService, {
        say: () => ({ id: 1 }),
        async *subscribe(_, { signal }) {
          yield { id: 1 };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      }),
    { router: { interceptors: [marking, bouncer.interceptor] } },
  );
  const chat = createClient(ChatService, transport);
  /** Whose name the error of a user's stream has got. */
  async function marksOf(user: string): Promise<string | null> {
    try {
      for await (const _ of chat.subscribe({}, { headers: { user } }));
    } catch (error) {
      return ConnectError.from(error).metadata.get("for");
    }
    throw new Error("it ended without an error");
  }
  return { bouncer, clock, chat, marksOf };
}

describe("what an interceptor adds to the error of one caller", () => {
  test("is not seen by the next one who is refused for the same ban, and does not grow", async () => {
    const { bouncer, chat, marksOf } = open();
    await bouncer.ban({ tag: "all" }, { message: "Closed" });
    const seen: (string | null)[] = [];
    for (const user of ["ann", "bob", "cat"]) seen.push(await marksOf(user));
    const unary = await chat.say({}, { headers: { user: "dan" } }).catch((error) => error);
    expect([...seen, unary.metadata.get("for")]).toEqual(["ann", "bob", "cat", "dan"]);
  });

  test("is not seen by others who are put out by the same verdict", async () => {
    const { bouncer, clock, marksOf } = open();
    const ends = ["ann", "bob", "cat"].map(marksOf);
    await clock.settle();
    await bouncer.kick({ tag: "all" });
    expect(await Promise.all(ends)).toEqual(["ann", "bob", "cat"]);
  });

  test("is not seen by others who are sent away with the same words, or come too early", async () => {
    const { bouncer, clock, marksOf } = open();
    const ends = ["ann", "bob"].map(marksOf);
    await clock.settle();
    await bouncer.drain();
    expect(await Promise.all([...ends, marksOf("cat"), marksOf("dan")])).toEqual(["ann", "bob", "cat", "dan"]);
  });
});

test("what the errors of one verdict have in common is encoded once, and says what toConnectError says", () => {
  const words: Words = {
    reason: "banned",
    code: "spam",
    until: new Date(Date.UTC(2031, 0, 1)),
    message: "Ten minutes",
    localized: { locale: "de", message: "Zehn Minuten" },
  };
  const now = Date.UTC(2030, 0, 1);
  const [one, two] = [goodbyesOf(words, now)(), goodbyesOf(words, now)()];
  expect(one).not.toBe(two);
  expect(one.details).not.toBe(two.details);
  expect(one.details).toHaveLength(3);
  for (const [index, detail] of one.details.entries()) expect(detail).toBe(two.details[index]);
  const direct = toConnectError(words, now);
  expect([...one.metadata]).toEqual([...direct.metadata]);
  expect([one.code, one.rawMessage]).toEqual([Code.PermissionDenied, "Ten minutes"]);
  const { cause: _, ...said } = classify({ error: one }, { now }) ?? { cause: undefined };
  const { cause: __, ...expected } = classify({ error: direct }, { now }) ?? { cause: undefined };
  expect(said).toEqual(expected);
});

test("a handler is told the verdict by each of its errors", () => {
  const words = { reason: "kicked" } as Words;
  const verdict = { id: "v", at: new Date(0), selector: { all: true }, words, by: undefined, note: undefined } as const;
  const goodbyes = goodbyesFor(verdict, words, 0);
  expect([verdictOf(goodbyes()), verdictOf(goodbyes())]).toEqual([verdict, verdict]);
  expect(verdictOf(goodbyesOf(words, 0)())).toBeUndefined();
});
