import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { DisconnectSchema } from "../src/gen/farewell/v1/disconnect_pb.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { classify } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";

// `said` is true where the server told us the reason, and only there; and what it told is heard.

const now = Date.UTC(2030, 0, 1);

/** An error as it comes from the wire. */
function fromWire(code: number, message: string, metadata: HeadersInit = {}, details: ConnectError["details"] = []) {
  const error = new ConnectError(message, code, {
    "content-type": "text/html",
    ...Object.fromEntries(new Headers(metadata)),
  });
  error.details = details;
  return error;
}

const detail = (desc: typeof ErrorInfoSchema | typeof DisconnectSchema, init: object) => ({
  type: desc.typeName,
  value: toBinary(desc, create(desc, init)),
});

describe("an HTTP error in place of a response", () => {
  test.each([
    [503, Code.Unavailable, "maintenance"],
    [429, Code.Unavailable, "throttled"],
  ])("of %i, with a retry-after: the time is kept, and nothing was said", (status, code, reason) => {
    const error = fromWire(code, `HTTP ${status}`, { "retry-after": "5" });
    const retryAt = new Date(now + 5_000);
    expect(classify({ error }, { now })).toMatchObject({ reason, retryAt, said: false, source: "http", message: "" });
  });

  test.each([401, 408, 429, 500, 502, 503, 504, 522, 599])("of %i is no message for users", (status) => {
    const found = classify({ error: fromWire(Code.Unknown, `HTTP ${status}`) });
    expect(found).toMatchObject({ said: false, message: "" });
  });

  test("is no message either where details came with it", () => {
    const { details, metadata } = toConnectError({ reason: "banned" });
    const error = new ConnectError("HTTP 403", Code.PermissionDenied, metadata);
    error.details = details;
    expect(classify({ error })).toMatchObject({ reason: "banned", said: true, message: "" });
  });
});

describe("a message over a limit", () => {
  const words = [
    "Received message exceeds the maximum configured message size.", // grpc-dotnet
    "Sending message exceeds the maximum configured message size.",
    "grpc: received message larger than max (5242880 vs. 4194304)", // grpc-go
    "grpc: received message after decompression larger than max 4194304",
    "trying to send message larger than max (5242880 vs. 4194304)",
    "gRPC message exceeds maximum size 4194304: 5242880", // grpc-java
    "Decompressed gRPC message exceeds maximum size 4194304",
    "message too large 5242880 > 4194304",
    "Received message larger than max (5242880 vs. 4194304)", // grpc-js, grpcio
    "CLIENT: Received message larger than max (5242880 vs. 4194304)",
    "SERVER: Sent message larger than max (5242880 vs. 4194304)",
    "Received message that decompresses to a size larger than 4194304",
    "Attempted to send message with a size larger than 4194304",
    "received initial metadata size exceeds hard limit (17612 vs. 16384)",
    "message size 5242880 is larger than configured max 4194304", // connect-go
    "message size 5242880 exceeds sendMaxBytes 4194304",
    "message size is larger than configured readMaxBytes 4194304 after decompression", // connect-es
    "message size 5242880 is larger than configured writeMaxBytes 4194304",
    "Error, decoded message length too large: found 5242880 bytes, the limit is: 4194304 bytes", // tonic
    "Error, encoded message length too large: found 5242880 bytes, the limit is: 4194304 bytes",
    "Error, message length too large: found 5242880 bytes, the limit is: 4194304 bytes",
  ];

  test.each(words)("is not a disconnect: %s", (text) => {
    expect(classify({ error: fromWire(Code.ResourceExhausted, text) })).toBeUndefined();
    const ours = new ConnectError(text, Code.ResourceExhausted); // made up by a transport, by its own limit
    expect(classify({ error: ours })).toBeUndefined();
    expect(classify({ error: ours }, { wasOpen: "stream" })).toBeUndefined();
  });

  test.each([
    "",
    "Too many requests",
    "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute'",
    "rate limit exceeded: 100 messages per second",
    "message rate exceeds the limit",
    "message queue is full",
    "Bandwidth exhausted or memory limit exceeded",
    "resource exhausted",
  ])("is not what a server means that throttles: %j", (text) => {
    expect(classify({ error: fromWire(Code.ResourceExhausted, text) })).toMatchObject({
      reason: "throttled",
      said: true,
    });
  });

  test("is what its details say, where they say something", () => {
    const { details } = toConnectError({ reason: "throttled" });
    const error = fromWire(Code.ResourceExhausted, words[0] ?? "", {}, details);
    expect(classify({ error })).toMatchObject({ reason: "throttled", said: true, source: "detail" });
  });
});

describe("several details of a kind", () => {
  const foreign = detail(ErrorInfoSchema, { domain: "chat.example.com", reason: "SPAM" });
  const ours = detail(ErrorInfoSchema, { domain: "farewell.v1", reason: "KICKED", metadata: { code: "afk" } });

  test.each([
    ["second", [foreign, ours]],
    ["first", [ours, foreign]],
    ["last of many", [foreign, foreign, { type: ErrorInfoSchema.typeName, value: new Uint8Array([0x0a, 0xff]) }, ours]],
  ])("are all heard: our ErrorInfo may be the %s", (_, details) => {
    const error = fromWire(Code.PermissionDenied, "bye", {}, details);
    expect(classify({ error })).toMatchObject({ reason: "kicked", code: "afk", said: true, source: "detail" });
  });

  test("are all heard: the first that an app has mapped names the reason", () => {
    const unmapped = detail(ErrorInfoSchema, { domain: "chat.example.com", reason: "OTHER" });
    const reasons = {
      "chat.example.com": {
        SPAM: "banned",
        OTHER: {
          reason: "kicked",
          fields: () => {
            throw new Error("bug");
          },
        },
      },
    } as const;
    const error = fromWire(Code.PermissionDenied, "bye", {}, [unmapped, foreign, ours]);
    expect(classify({ error }, { reasons })?.reason).toBe("banned");
  });

  test("of our own kind are heard, too: one of a later version does not hide the other", () => {
    const later = { type: DisconnectSchema.typeName, value: new Uint8Array([0x9a, 0x06, 0x00]) };
    const known = detail(DisconnectSchema, { reason: { case: "superseded", value: { by: "phone" } } });
    const error = fromWire(Code.PermissionDenied, "bye", {}, [later, known]);
    expect(classify({ error })).toMatchObject({ reason: "superseded", by: "phone" });
  });
});

describe("a refusal that reads as a clean end, because grpc-status-details-bin says OK,", () => {
  const status = (...details: { readonly type: string; readonly value: Uint8Array }[]) => {
    const writer = new BinaryWriter().tag(2, 2).string("bye");
    for (const { type, value } of details) {
      const any = new BinaryWriter().tag(1, 2).string(`type.googleapis.com/${type}`).tag(2, 2).bytes(value);
      writer.tag(3, 2).bytes(any.finish());
    }
    return Buffer.from(writer.finish()).toString("base64");
  };
  const info = detail(ErrorInfoSchema, { domain: "farewell.v1", reason: "KICKED", metadata: { code: "afk" } });
  const refusal = { "grpc-status": "7", "grpc-message": "You%20were%20idle" };
  const kicked = { reason: "kicked", code: "afk", message: "You were idle", said: true };

  test.each([
    ["the details", { "grpc-status-details-bin": status(info) }, "detail"],
    [
      "the mirror",
      { "grpc-status-details-bin": status(), "farewell-reason": "kicked", "farewell-code": "afk" },
      "trailer",
    ],
    [
      "the mirror, beside nothing",
      { "grpc-status-details-bin": "", "farewell-reason": "kicked", "farewell-code": "afk" },
      "trailer",
    ],
    [
      "the mirror, beside garbage",
      { "grpc-status-details-bin": "§", "farewell-reason": "kicked", "farewell-code": "afk" },
      "trailer",
    ],
  ])("is heard by %s, in trailers and in headers", (_, fields, source) => {
    const said = new Headers({ ...refusal, ...fields });
    for (const endless of [false, true]) {
      expect(classify({ trailer: said, endless })).toMatchObject({ ...kicked, source });
      expect(classify({ trailer: new Headers(), header: said, endless })).toMatchObject({ ...kicked, source });
    }
  });

  test("without a reason is no verdict, and no disconnect", () => {
    const trailer = new Headers({ ...refusal, "grpc-status-details-bin": "" });
    expect(classify({ trailer, endless: true })).toBeUndefined();
    expect(classify({ trailer: new Headers({ "grpc-status": "14" }) })).toMatchObject({ reason: "network" });
    expect(classify({ trailer: new Headers({ "grpc-status": "odd" }) })).toMatchObject({ reason: "aborted" });
    expect(classify({ trailer: new Headers({ "grpc-status": "7", "grpc-message": "100% odd" }) })).toBeUndefined();
  });

  test("is nothing of the kind where the status is OK", () => {
    for (const fields of [{ "grpc-status": "0" }, {}, { "grpc-status": "0", "grpc-status-details-bin": "" }]) {
      expect(classify({ trailer: new Headers(fields), header: new Headers() })).toBeUndefined();
    }
    expect(classify({ trailer: new Headers({ "grpc-status": "0" }), header: new Headers(refusal) })).toBeUndefined();
  });
});
