import { expectTypeOf, test } from "vitest";
import type { ChatService, Message } from "../../examples/gen/chat/v1/chat_pb.js";
import type { Disconnect, FarewellClient, Session, SessionState } from "../../src/index.js";
import { type Following, useDisconnect, useSession, useStream } from "../../src/react/index.js";

declare const session: Session;
declare const chat: FarewellClient<typeof ChatService>;

test("a session's state is a union by status", () => {
  const state = useSession(session);
  expectTypeOf(state).toEqualTypeOf<SessionState>();
  if (state.status === "waiting") expectTypeOf(state.until).toEqualTypeOf<number>();
  // @ts-expect-error only a wait has an end
  if (state.status === "probing") state.until;
});

test("a Disconnect in effect is a union by reason, or undefined", () => {
  const disconnect = useDisconnect(session);
  expectTypeOf(disconnect).toEqualTypeOf<Disconnect | undefined>();
  switch (disconnect?.reason) {
    case "banned":
      expectTypeOf(disconnect.until).toEqualTypeOf<Date | undefined>();
      break;
    case "kicked":
      // @ts-expect-error only a ban has an end
      disconnect.until;
      break;
    default:
  }
  // @ts-expect-error no such reason
  if (disconnect?.reason === "expelled") disconnect.message;
});

test("a stream without a reducer has a message once it is open", () => {
  const stream = useStream((signal) => chat.subscribe({ room: "lobby" }, { signal }), ["lobby"]);
  expectTypeOf(stream).toEqualTypeOf<Following<Message, undefined>>();
  expectTypeOf(stream.value).toEqualTypeOf<Message | undefined>();
  if (stream.status === "pending") expectTypeOf(stream.value).toEqualTypeOf<undefined>();
  if (stream.status === "open") expectTypeOf(stream.value).toEqualTypeOf<Message>();
  if (stream.status === "complete") expectTypeOf(stream.value).toEqualTypeOf<Message | undefined>();
});

test("its parts are narrowed by the status, also once they are taken apart", () => {
  const { status, value, error, disconnect, again } = useStream((signal) => chat.subscribe({}, { signal }), []);
  if (status === "open") expectTypeOf(value).toEqualTypeOf<Message>();
  if (status === "failed") {
    expectTypeOf(error).toEqualTypeOf<unknown>();
    expectTypeOf(disconnect).toEqualTypeOf<Disconnect | undefined>();
    if (disconnect?.reason === "superseded") expectTypeOf(disconnect.by).toEqualTypeOf<string | undefined>();
  } else {
    expectTypeOf(error).toEqualTypeOf<undefined>();
    expectTypeOf(disconnect).toEqualTypeOf<undefined>();
  }
  expectTypeOf(again).toEqualTypeOf<() => void>();
  // @ts-expect-error no such status
  if (status === "closed") again();
});

test("a reducer and its start value go together, and give the value its type", () => {
  const stream = useStream(
    (signal) => chat.subscribe({}, { signal }),
    [],
    (messages, message) => [...messages, message],
    [] as readonly Message[],
  );
  expectTypeOf(stream).toEqualTypeOf<Following<readonly Message[]>>();
  expectTypeOf(stream.value).toEqualTypeOf<readonly Message[]>();
  const count = useStream(
    (signal) => chat.subscribe({}, { signal }),
    [],
    (n, { id }) => n + id,
    0,
  );
  expectTypeOf(count.value).toEqualTypeOf<number>();
  // @ts-expect-error a reducer needs a start value
  useStream(
    (signal) => chat.subscribe({}, { signal }),
    [],
    (n: number) => n + 1,
  );
  // @ts-expect-error deps are not optional: name what the stream depends on
  useStream((signal) => chat.subscribe({}, { signal }));
  // @ts-expect-error a view is readonly
  stream.status = "open";
});

test("what is opened must be a stream", () => {
  // @ts-expect-error nothing is returned
  useStream((signal) => void chat.subscribe({}, { signal }), []);
});
