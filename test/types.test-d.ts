import type { DescService } from "@bufbuild/protobuf";
import type { Client, Transport } from "@connectrpc/connect";
import { expectTypeOf, test } from "vitest";
import { ChatService, type Message, type SayResponse } from "../examples/gen/chat/v1/chat_pb.js";
import type { sessionOptions } from "../src/check/session.js";
import {
  createClient,
  createSession,
  type Disconnect,
  disconnectOf,
  type FarewellClient,
  type Gap,
  method,
  type Policies,
  type Reason,
  retried,
  retriedIdempotent,
  type Session,
  type SessionOptions,
  type StreamLabel,
  streamOf,
} from "../src/index.js";

declare const transport: Transport;
declare const session: Session;
declare const disconnect: Disconnect;

test("a client has the types of Connect's own, and the session", () => {
  const chat = createClient(ChatService, session);
  expectTypeOf(chat).toExtend<Client<typeof ChatService>>();
  expectTypeOf(chat.subscribe({ room: "lobby" })).toEqualTypeOf<AsyncIterable<Message>>();
  expectTypeOf(chat.$session).toEqualTypeOf<Session>();
  expectTypeOf(createSession(transport)).toExtend<Transport>();
  // @ts-expect-error a field that the request does not have
  chat.subscribe({ rom: "lobby" });
});

test("a client is one of Connect's, also where the service is a type parameter", () => {
  const useClient = <S extends DescService>(service: S): Client<S> => createClient(service, session);
  expectTypeOf(useClient(ChatService)).toEqualTypeOf<Client<typeof ChatService>>();
});

test("a stream's call has options for its own losses, and a unary call has none", () => {
  const chat = createClient(ChatService, session);
  chat.subscribe({}, { onHeader: () => {}, onReopened: ({ gap }) => expectTypeOf(gap).toEqualTypeOf<Gap>() });
  chat.talk((async function* () {})(), {
    onLost: ({ disconnect }) => expectTypeOf(disconnect).toEqualTypeOf<Disconnect>(),
    onGap: ({ missed }) => expectTypeOf(missed).toEqualTypeOf<number | undefined>(),
  });
  // @ts-expect-error nothing of it comes back
  chat.say({}, { onLost: () => {} });
  // @ts-expect-error no such option
  chat.subscribe({}, { onGaps: () => {} });
  expectTypeOf(streamOf(chat.subscribe({}))).toEqualTypeOf<StreamLabel | undefined>();
  const takes = <S extends DescService>(client: FarewellClient<S>): FarewellClient<S> => client;
  expectTypeOf(takes(chat).say).returns.toEqualTypeOf<Promise<SayResponse>>();
});

test("a Disconnect is a union by reason", () => {
  expectTypeOf<Reason>().toEqualTypeOf<Disconnect["reason"]>();
  if (disconnect.reason === "banned") expectTypeOf(disconnect.until).toEqualTypeOf<Date | undefined>();
  if (disconnect.reason === "superseded") expectTypeOf(disconnect.by).toEqualTypeOf<string | undefined>();
  // @ts-expect-error only a ban has an end
  if (disconnect.reason === "kicked") disconnect.until;
  // @ts-expect-error a view is readonly
  disconnect.message = "changed";
  expectTypeOf(disconnectOf(new Error())).toEqualTypeOf<Disconnect | undefined>();
  switch (disconnect.reason) {
    case "kicked":
    case "banned":
    case "superseded":
    case "unauthenticated":
    case "maintenance":
    case "throttled":
    case "aborted":
    case "network":
      break;
    default:
      disconnect satisfies never;
  }
});

test("events carry their own payloads", () => {
  session.onBanned(({ until }) => expectTypeOf(until).toEqualTypeOf<Date | undefined>());
  session.on("reconnecting", ({ afterMs, why }) =>
    expectTypeOf([afterMs, why] as const).toEqualTypeOf<readonly [number, string]>(),
  );
  session.on("maintenance", ({ retryAt }) => expectTypeOf(retryAt).toEqualTypeOf<Date | undefined>());
  expectTypeOf(session.onKicked(() => {})).toEqualTypeOf<() => void>();
  // @ts-expect-error no such event
  session.on("reconnect", () => {});
  // @ts-expect-error no such reason
  session.onFired(() => {});
});

test("policies are checked by reason", () => {
  const policies: Policies = { network: { maxMs: 1 }, kicked: "stop", throttled: () => ({ action: "end", why: "" }) };
  createSession(transport, { policies });
  // @ts-expect-error a misspelt reason
  createSession(transport, { policies: { netwrok: "stop" } });
  // @ts-expect-error a misspelt field
  createSession(transport, { policies: { network: { maxms: 1 } } });
  // @ts-expect-error no such action
  createSession(transport, { policies: { network: () => ({ action: "retry", why: "" }) } });
});

test("method entries know their messages", () => {
  method(ChatService.method.subscribe, {
    resume: (request, last) => {
      expectTypeOf(request.room).toEqualTypeOf<string>();
      expectTypeOf(last).toEqualTypeOf<Message>();
      return { ...request, afterId: last.id };
    },
    position: (message) => message.id,
  });
  // @ts-expect-error a unary method has no stream to follow
  method(ChatService.method.say, {});
  // @ts-expect-error a bidi stream needs to know how it is reopened
  method(ChatService.method.talk, { endless: true });
  // @ts-expect-error a request of another type
  method(ChatService.method.subscribe, { resume: () => ({ afterId: "7" }) });
});

test("only unary methods are retried", () => {
  createSession(transport, {
    methods: [retriedIdempotent({ maxAttempts: 3 }), retried(ChatService.method.say, { maxAttempts: 3 })],
  });
  // @ts-expect-error a stream is followed by method(…)
  retried(ChatService.method.subscribe);
  // @ts-expect-error a bidi stream, too
  retried(ChatService.method.talk);
  // @ts-expect-error nobody can send a client stream twice
  retried(ChatService.method.upload);
  // @ts-expect-error a misspelt option
  retried(ChatService.method.say, { retries: 3 });
});

test("every option of a session is known to its checks", () => {
  expectTypeOf<(typeof sessionOptions)[number]>().toEqualTypeOf<keyof SessionOptions>();
});
