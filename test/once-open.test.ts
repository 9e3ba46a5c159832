import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import {
  classify,
  createClient,
  createSession,
  disconnectOf,
  type Evidence,
  type Session,
  type SessionOptions,
} from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

// What is thrown at once at a first opening may pass, once a stream was open.

const coded = (code: string, message = code) => Object.assign(new Error(message), { code });
/** As connect-node throws it. */
const local = (code: string, as: Code = Code.Internal) => new ConnectError(code, as, undefined, undefined, coded(code));
/** As connect-web throws it, over Node's fetch. */
const fetched = (code: string, message = "fetch failed") =>
  new ConnectError(message, Code.Unknown, undefined, undefined, new TypeError(message, { cause: coded(code) }));
const answered = (message: string, code = Code.Unknown) =>
  new ConnectError(message, code, { "content-type": "text/html" });

const inDoubt = { reason: "aborted", source: "unknown", said: false };

describe("an error that the transport made up itself", () => {
  const codes = [
    ...["ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR", "ERR_SSL_TLSV1_UNRECOGNIZED_NAME", "ERR_SSL_WRONG_VERSION_NUMBER"],
    ...["DEPTH_ZERO_SELF_SIGNED_CERT", "CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID", "EPROTO", "ERR_HTTP2_ERROR"],
    ...["HPE_INVALID_CONSTANT", "HPE_INVALID_CHUNK_SIZE", "HPE_HEADER_OVERFLOW", "UND_ERR_HEADERS_OVERFLOW"],
  ];

  test.each(codes)("is not a disconnect at first, and aborted once a stream of the session was open: %s", (code) => {
    for (const error of [local(code), fetched(code), fetched(code, "terminated"), coded(code)]) {
      expect(classify({ error })).toBeUndefined();
      for (const wasOpen of ["session", "stream"] as const) {
        expect(classify({ error }, { wasOpen })).toMatchObject({ ...inDoubt, cause: error });
      }
    }
  });

  test.each(["parse binary: premature EOF", "cannot decode message chat.v1.Message from JSON", "what nobody knows"])(
    "may be garbage after the headers, and is aborted: %s",
    (text) => {
      for (const code of [Code.Internal, Code.InvalidArgument, Code.Unimplemented, Code.Canceled]) {
        expect(classify({ error: new ConnectError(text, code) })).toBeUndefined();
        expect(classify({ error: new ConnectError(text, code) }, { wasOpen: "stream" })).toMatchObject(inDoubt);
      }
    },
  );

  test("is explained by a notice like any cut, and is never what an abort means to the app", () => {
    const error = fetched("HPE_INVALID_CHUNK_SIZE", "terminated");
    const notice = { reason: "kicked", code: "afk" } as const;
    expect(classify({ error }, { wasOpen: "stream", notice })).toMatchObject({
      ...notice,
      said: true,
      source: "notice",
    });
    expect(classify({ error }, { wasOpen: "stream", abortedMeans: "kicked" })).toMatchObject(inDoubt);
  });

  test.each([
    ["our own cancellation", { error: local("HPE_INVALID_CONSTANT"), canceled: true }],
    ["the transport's own time-out", { error: new ConnectError("the operation timed out", Code.DeadlineExceeded) }],
    ["a request that cannot be encoded", { error: new ConnectError("serialize binary: not an int32", Code.Internal) }],
    ["an interceptor's", { error: new ConnectError("no token", Code.Unauthenticated) }],
    ["an interceptor's, too", { error: new ConnectError("not while the demo runs", Code.FailedPrecondition) }],
    ["one in JSON", { error: new ConnectError("cannot encode field chat.v1.Message.id to JSON", Code.Internal) }],
  ])("is still not a disconnect where it is %s", (_, evidence) => {
    expect(classify(evidence, { wasOpen: "stream" })).toBeUndefined();
  });
});

describe("a name that is not found, or an address that is not there, is network", () => {
  const codes = [
    ...["EADDRNOTAVAIL", "ETIMEDOUT", "EHOSTDOWN", "ENETRESET", "ERR_SOCKET_CONNECTION_TIMEOUT"],
    ...["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "EAI_NONAME", "EAI_MEMORY", "EAI_SYSTEM", "EAI_FAMILY"],
    ...["ENODATA", "EFORMERR", "ESERVFAIL", "ENOTIMP", "EREFUSED", "EBADQUERY", "EBADNAME", "EBADRESP", "ETIMEOUT"],
    ...["EOF", "ECANCELLED", "EDESTRUCTION"],
  ];

  test.each(codes)("%s", (code) => {
    for (const error of [local(code), local(code, Code.Unknown), fetched(code)]) {
      expect(classify({ error })).toMatchObject({ reason: "network", source: "transport" });
    }
  });
});

describe("what Deno and Bun throw when the path fails is network", () => {
  test.each([
    "error sending request for url (http://127.0.0.1:9/chat.v1.ChatService/Subscribe): client error (Connect)",
    "error reading a body from connection",
    "request or response body error: error reading a body from connection: end of file before message length reached",
  ])("Deno: %s", (message) => {
    const error = ConnectError.from(new TypeError(message));
    expect(classify({ error })?.reason).toBe("network");
    expect(classify({ error: new TypeError(message) })?.reason).toBe("network");
  });

  test.each([
    ["ConnectionRefused", "Unable to connect. Is the computer able to access the url?"],
    ["FailedToOpenSocket", "Was there a typo in the url or port?"],
    ["ConnectionClosed", "The socket connection was closed unexpectedly."],
    ["ECONNRESET", "The socket connection was closed unexpectedly."],
    ["ERR_HTTP2_STREAM_CANCEL", "The pending stream has been canceled"],
  ])("Bun: %s", (code, message) => {
    expect(classify({ error: ConnectError.from(coded(code, message)) })?.reason).toBe("network");
  });
});

describe("an answer in place of the service's", () => {
  const statuses = [400, 403, 404, 405, 410, 413, 421, 425, 426, 501, 505, 507, 511, 301];

  test.each(statuses)("HTTP %i is aborted on a stream that was open, and not a disconnect on any other", (status) => {
    const error = answered(`HTTP ${status}`);
    for (const wasOpen of [undefined, "session"] as const) expect(classify({ error }, { wasOpen })).toBeUndefined();
    expect(classify({ error }, { wasOpen: "stream" })).toMatchObject({ ...inDoubt, message: "" });
    expect(classify({ error }, { wasOpen: "stream", abortedMeans: "banned" })).toMatchObject(inDoubt);
  });

  test("a web page is the same, in all three protocols", () => {
    const header = new Headers({ "content-type": "text/html" });
    const pages: Evidence[] = [
      { error: answered("unsupported content type text/html") },
      { error: new ConnectError("promised 1008821359 bytes in enveloped message, got 20 bytes"), header }, // gRPC-Web
      { error: new ConnectError("missing trailer"), header },
    ];
    for (const page of pages) {
      for (const wasOpen of [undefined, "session"] as const) expect(classify(page, { wasOpen })).toBeUndefined();
      expect(classify(page, { wasOpen: "stream" })).toMatchObject(inDoubt);
    }
  });

  test("means what the app says, at a first opening too, and nobody has said it", () => {
    const httpStatusMeans = { 403: "unauthenticated", 410: "kicked", 418: "maintenance", 503: "aborted" } as const;
    const named = (status: number, more: object = {}) =>
      classify(
        { error: new ConnectError(`HTTP ${status}`, Code.Unknown, { "retry-after": "5" }) },
        { httpStatusMeans, now: 0, ...more },
      );
    expect(named(403)).toMatchObject({ reason: "unauthenticated", said: false, source: "http", message: "" });
    expect(named(410)).toMatchObject({ reason: "kicked", code: undefined, said: false, source: "http" });
    expect(named(418)).toMatchObject({ reason: "maintenance", retryAt: new Date(5_000) });
    expect(named(503)).toMatchObject({ reason: "aborted", source: "http" });
    expect(named(404)).toBeUndefined();
    expect(named(404, { wasOpen: "stream" })).toMatchObject(inDoubt);
  });

  test("a status of the service itself is its answer, whatever was open before", () => {
    for (const code of [3, 5, 6, 7, 9, 10, 11, 12, 15]) {
      const error = new ConnectError("no", code, { "content-type": "application/grpc" });
      expect(classify({ error }, { wasOpen: "stream" })).toBeUndefined();
    }
  });
});

test("over any error there is no kick, ban or supersede that nobody has said, whatever was open", () => {
  const errors = fc.record({
    code: fc.integer({ min: 0, max: 20 }),
    text: fc.oneof(
      fc.string(),
      fc.constantFrom("kicked", "HTTP 403", "HTTP 999", "unsupported content type", "banned"),
    ),
    metadata: fc.boolean(),
    cause: fc.constantFrom(undefined, coded("ERR_SSL_X"), coded("kicked"), new TypeError("terminated"), "kicked"),
  });
  fc.assert(
    fc.property(errors, fc.constantFrom("stream", "session", undefined), fc.boolean(), (given, wasOpen, page) => {
      const { code, text, metadata, cause } = given;
      const error = new ConnectError(text, code, metadata ? { server: "x" } : undefined, undefined, cause);
      const header = page ? new Headers({ "content-type": "text/html" }) : undefined;
      const found = classify({ error, header }, { wasOpen });
      expect(["kicked", "banned", "superseded"]).not.toContain(found?.reason);
      if (found?.source === "unknown") expect([wasOpen !== undefined, found.reason]).toEqual([true, "aborted"]);
    }),
    { numRuns: 2_000 },
  );
});

describe("in a session", () => {
  let clock: FakeClock;
  let server: InMemoryServer;
  let session: Session;
  /** What the transport throws in place of a call. */
  let broken: (() => unknown) | undefined;
  let calls: number;

  beforeEach(() => {
    clock = createFakeClock();
    server = createInMemoryServer();
    broken = undefined;
    calls = 0;
  });

  afterEach(async () => {
    session.close();
    await clock.settle();
    expect(clock.sleepers).toBe(0);
    expect(server.live).toBe(0);
  });

  function start(options: SessionOptions = {}) {
    const transport: Transport = {
      ...server.transport,
      async stream(...call) {
        calls++;
        if (broken) throw broken();
        return server.transport.stream(...call);
      },
    };
    session = createSession(transport, { clock, rateLimit: false, ...options });
    return { chat: createClient(ChatService, session), ...listen(session) };
  }

  async function healthyStream(chat: ReturnType<typeof start>["chat"]) {
    const stream = collect(chat.subscribe({}));
    await clock.settle();
    server.streams.at(-1)?.send(1);
    await clock.advance(60_000);
    return stream;
  }

  const tls = () => local("ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR");
  const count = (lines: readonly string[], type: string) => lines.filter((line) => line.startsWith(type)).length;
  const cut = () => new ConnectError("down", Code.Unavailable);

  test("a wrong certificate is thrown at once by the very first call, and by the next one", async () => {
    const { chat, lines } = start();
    broken = tls;
    for (let call = 1; call <= 2; call++) {
      const { end } = collect(chat.subscribe({}));
      await clock.settle();
      expect(await end).toMatchObject({ code: Code.Internal });
      expect(calls).toBe(call);
    }
    expect(lines.map((line) => line.replace(/:.*/, ""))).toEqual(["streamEnded", "streamEnded"]);
  });

  test("an attempt that is met with a TLS alert after the stream was healthy is one more attempt, and nobody is back", async () => {
    const { chat, lines } = start();
    for (let i = 0; i < 3; i++) await healthyStream(chat);
    for (const stream of server.streams) stream.end(cut());
    broken = tls;
    await clock.advance(5 * 60_000);
    expect(count(lines, "reconnected") + count(lines, "streamReopened") + count(lines, "streamEnded")).toBe(0);
    broken = undefined;
    await clock.advance(2 * 60_000);
    expect(server.live).toBe(3);
    expect([count(lines, "reconnected"), count(lines, "streamEnded")]).toEqual([1, 0]);
  });

  test.each([
    ["a TLS alert", tls],
    ["HTTP 404", () => answered("HTTP 404")],
    ["a web page", () => answered("unsupported content type text/html")],
  ])("%s for good is thrown in the end, as Connect threw it, and once", async (_, error) => {
    const { chat, lines } = start();
    const { end } = await healthyStream(chat);
    server.streams.at(-1)?.end(cut());
    broken = error;
    await clock.advance(10 * 60_000);
    expect(count(lines, "streamEnded")).toBe(0); // a deploy may take that long
    await clock.advance(60 * 60_000);
    expect(await end).toMatchObject({ rawMessage: error().message.replace(/^\[\w+\] /, "") });
    expect(disconnectOf(await end)).toMatchObject(inDoubt);
    expect([calls, count(lines, "streamEnded"), count(lines, "reconnected")]).toEqual([1 + 31, 1, 0]);
  });

  test("a new stream whose method is not there is told so at once, though another is open", async () => {
    const { chat } = start();
    await healthyStream(chat);
    broken = () => answered("HTTP 404");
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    expect(await end).toMatchObject({ rawMessage: "HTTP 404" });
    expect([calls, server.live]).toEqual([2, 1]);
  });

  test.each([
    ["a page", () => answered("HTTP 404"), 0],
    ["a request that cannot be encoded", () => new ConnectError("serialize binary: bad", Code.Internal), 0],
    ["the service itself", () => new ConnectError("no", Code.NotFound, { "content-type": "application/grpc" }), 1],
  ])("nobody is back where a probe ends with %s, unless that has answered", async (_, error, back) => {
    const { chat, lines } = start();
    const leave = new AbortController();
    const first = collect(chat.subscribe({}, { signal: leave.signal }));
    await clock.settle();
    server.streams.at(-1)?.send(1);
    await clock.advance(60_000);
    server.streams.at(-1)?.end(cut());
    await clock.settle();
    leave.abort();
    await first.end;
    broken = error;
    const { end } = collect(chat.subscribe({}));
    await clock.advance(1_000);
    expect(await end).toBeInstanceOf(ConnectError);
    expect([calls, count(lines, "reconnected")]).toEqual([2, back]);
  });

  test("an HTTP status that means unauthenticated refreshes, at a first opening too", async () => {
    const asked: number[] = [];
    const { chat } = start({
      httpStatusMeans: { 403: "unauthenticated" },
      refresh: async () => {
        asked.push(calls);
        broken = undefined;
      },
    });
    broken = () => answered("HTTP 403", Code.PermissionDenied);
    collect(chat.subscribe({}));
    await clock.advance(10_000);
    expect([asked, server.live]).toEqual([[1], 1]);
  });

  test.each([
    [{ 99: "network" }, 'httpStatusMeans[99]: expected an HTTP status from 300 to 599 as its key, got "99"'],
    [{ "4xx": "network" }, "httpStatusMeans[4xx]: expected an HTTP status"],
    [{ 403: "forbidden" }, 'httpStatusMeans[403]: expected "kicked" or "banned"'],
    [[], "httpStatusMeans: expected an object"],
  ])("a wrong httpStatusMeans is refused by name: %j", (httpStatusMeans, message) => {
    session = createSession(server.transport);
    expect(() => createSession(server.transport, { httpStatusMeans } as never)).toThrow(message);
  });
});
