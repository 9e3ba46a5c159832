import { createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, method, retried, retriedIdempotent, systemClock } from "../src/index.js";
import { createFakeClock } from "../src/testing/index.js";

const transport = createRouterTransport(() => {});
const entry = method(ChatService.method.subscribe, {});

test.each([
  [{ polices: {} }, "options.polices: unknown; expected one of policies, methods"],
  [7, "options: expected an object, got 7"],
  [{ methods: {} }, "methods: expected an array of method(…) entries, got {}"],
  [{ methods: [7] }, "methods[0]: expected an object, got 7"],
  [{ methods: [{}] }, "methods[0]: expected an entry made by method(…) or retried(…), got {}"],
  [{ methods: [entry, entry] }, 'methods[1]: expected one entry for each method, got "chat.v1.ChatService/Subscribe"'],
  [{ rateLimit: { burst: 0, perMs: 1 } }, "rateLimit.burst: expected a number of at least 1, got 0"],
  [{ rateLimit: { burst: 1, per: 1 } }, "rateLimit.per: unknown; expected one of burst, perMs"],
  [{ rateLimit: 5 }, "rateLimit: expected an object, got 5"],
  [{ refresh: true }, "refresh: expected a function, got true"],
  [{ healthyAfterMs: -1 }, "healthyAfterMs: expected a number of at least 0, got -1"],
  [{ headersTimeoutMs: 0 }, "headersTimeoutMs: expected a number of at least 1, got 0"],
  [{ noticeTtlMs: "1s" }, 'noticeTtlMs: expected a number of at least 0, got "1s"'],
  [
    { reasons: { "game.example.com": { X: "bannd" } }, policies: { banned: "end", bannd: 1 } },
    "policies.bannd: expected",
  ],
  [
    { reasons: { "game.example.com": { X: "questFailed" } } },
    'reasons.game.example.com.X: expected a built-in reason, or one of your own that has a policy, got "questFailed"',
  ],
  [{ reasons: { "game.example.com": "banned" } }, 'reasons.game.example.com: expected an object, got "banned"'],
  [{ abortedMeans: "fired" }, 'abortedMeans: expected "kicked" or "banned"'],
  [{ connection: {} }, "connection.state: expected a function, got undefined"],
  [{ clock: { ...systemClock, monotonic: undefined } }, "clock.monotonic: expected a function, got undefined"],
  [{ clock: { ...systemClock, sleep: 1 } }, "clock.sleep: expected a function, got 1"],
  [{ reportError: "log" }, 'reportError: expected a function, got "log"'],
])("createSession refuses %j by the option's name", (options, message) => {
  expect(() => createSession(transport, options as never)).toThrow(TypeError);
  expect(() => createSession(transport, options as never)).toThrow(message);
});

test.each([undefined, null, {}, "http://localhost"])("createSession refuses %j for a transport", (given) => {
  expect(() => createSession(given as never)).toThrow(
    "transport: expected a Transport, such as createConnectTransport({ baseUrl })",
  );
});

test.each([
  [
    ChatService.method.say,
    {},
    'method: expected a server-streaming or bidi-streaming method, such as Service.method.name, got "unary"',
  ],
  [undefined, {}, "method: expected a server-streaming or bidi-streaming method"],
  [
    ChatService.method.subscribe,
    { idleTimeoutMs: 0 },
    "method(chat.v1.ChatService/Subscribe).idleTimeoutMs: expected a number of at least 1, got 0",
  ],
  [
    ChatService.method.subscribe,
    { endless: true, finite: true },
    ".finite: expected false, because the method is endless, got true",
  ],
  [ChatService.method.subscribe, { resum: () => {} }, ".resum: unknown; expected one of endless"],
  [ChatService.method.subscribe, { position: "id" }, '.position: expected a function, got "id"'],
  [
    ChatService.method.talk,
    {},
    "method(chat.v1.ChatService/Talk).resume: expected a function that opens the new stream, got undefined",
  ],
])("method refuses %o %j by the option's name", (given, options, message) => {
  expect(() => method(given as never, options as never)).toThrow(message);
});

test.each([
  [
    ChatService.method.subscribe,
    {},
    'method: expected a unary method, such as Service.method.name, got "server_streaming"',
  ],
  [undefined, {}, "method: expected a unary method, such as Service.method.name, got undefined"],
  [ChatService.method.say, 3, "retried(chat.v1.ChatService/Say): expected an object, got 3"],
  [ChatService.method.say, { retries: 3 }, "retried(chat.v1.ChatService/Say).retries: unknown; expected one of max"],
  [ChatService.method.say, { maxAttempts: 0 }, ".maxAttempts: expected a number of at least 1, got 0"],
  [ChatService.method.say, { maxAttempts: Number.NaN }, ".maxAttempts: expected a number of at least 1, got NaN"],
])("retried refuses %o %j by the option's name", (given, options, message) => {
  expect(() => retried(given as never, options as never)).toThrow(message);
});

test("retriedIdempotent refuses an option by its name, and a second entry of its kind", () => {
  const message = 'retriedIdempotent().maxAttempts: expected a number of at least 1, got "3"';
  expect(() => retriedIdempotent({ maxAttempts: "3" as never })).toThrow(message);
  expect(() => createSession(transport, { methods: [retriedIdempotent(), retriedIdempotent()] })).toThrow(
    'methods[1]: expected one entry for each method, got "retriedIdempotent()"',
  );
});

test("createClient refuses what is no service, and no transport", () => {
  expect(() => createClient(undefined as never, transport)).toThrow(
    "service: expected a generated service, got undefined",
  );
  expect(() => createClient(ChatService, undefined as never)).toThrow(
    "transport: expected a Transport, such as createConnectTransport({ baseUrl })",
  );
});

test("createFakeClock refuses what it cannot do", async () => {
  expect(() => createFakeClock({ now: -1 })).toThrow("now: expected a number of at least 0, got -1");
  await expect(createFakeClock().advance(-1)).rejects.toThrow("ms: expected a number of at least 0, got -1");
});
