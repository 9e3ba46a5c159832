import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { builtInReasons, createClient, createSession, method } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer } from "./in-memory.js";

// What docs/guide/testing.md says of an app's tests with a server in memory.

const endless = method(ChatService.method.subscribe, { endless: true });

describe("with every policy 'stop'", () => {
  const policies = Object.fromEntries(builtInReasons.map((reason) => [reason, "stop" as const]));
  const clock = createFakeClock(); // that never goes on: nothing may need it
  const server = createInMemoryServer((router) => {
    router.rpc(ChatService.method.say, () => {
      throw toConnectError({ reason: "banned" });
    });
  });
  const session = createSession(server.transport, { policies, clock, methods: [endless] });
  const chat = createClient(ChatService, session);

  afterEach(() => expect(clock.sleepers).toBe(0));

  const endings: readonly (readonly [string, unknown])[] = [
    ...builtInReasons.map((reason) => [reason, toConnectError({ reason })] as const),
    ...[Code.Unavailable, Code.Internal, Code.Unknown, Code.NotFound, Code.Unauthenticated, Code.ResourceExhausted].map(
      (code) => [Code[code], new ConnectError("over", code)] as const,
    ),
    ["a clean end", undefined],
  ];

  test.each(endings)("a stream that ends by %s throws at once, and the session goes on", async (_, ending) => {
    const before = server.streams.length;
    const { messages, end } = collect(chat.subscribe({}));
    await clock.settle();
    server.streams.at(-1)?.send(1);
    server.streams.at(-1)?.end(ending);
    const thrown = await end;
    if (ending instanceof ConnectError)
      expect(thrown).toMatchObject({ code: ending.code, rawMessage: ending.rawMessage });
    else expect(thrown).toBeInstanceOf(ConnectError);
    expect(messages).toHaveLength(1);
    expect(server.streams).toHaveLength(before + 1);
  });

  test("a unary call throws what the server says, and the next one goes out, too", async () => {
    for (let call = 0; call < 2; call++)
      await expect(chat.say({})).rejects.toMatchObject({ code: Code.PermissionDenied });
  });
});

test("with the app's policies and the fake clock, a stream comes back when time has passed", async () => {
  const clock = createFakeClock();
  let calls = 0;
  const transport = createRouterTransport((router) => {
    router.rpc(ChatService.method.subscribe, async function* () {
      if (++calls === 1) throw new ConnectError("down", Code.Unavailable);
      yield { id: calls };
    });
  });
  const session = createSession(transport, { clock });
  const { messages, end } = collect(createClient(ChatService, session).subscribe({}));
  await clock.settle();
  expect([calls, messages.length]).toEqual([1, 0]);
  await clock.advance(10_000);
  expect(await end).toBeUndefined();
  expect(messages).toHaveLength(1);
  session.close();
});
