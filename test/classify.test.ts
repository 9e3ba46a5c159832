import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DisconnectSchema } from "../src/gen/farewell/v1/disconnect_pb.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import {
  builtInReasons,
  type ClassifyOptions,
  classify,
  type DisconnectInit,
  disconnectOf,
  type Evidence,
} from "../src/index.js";
import { toConnectError } from "../src/server/index.js";

const now = Date.UTC(2030, 0, 1);
const verdicts = ["kicked", "banned", "superseded"];

/** An error as it comes from the wire: with metadata, and details as bytes. */
function fromWire(code: Code, details: ConnectError["details"] = [], metadata: HeadersInit = {}, message = "text") {
  const error = new ConnectError(message, code, { "content-type": "application/grpc", ...metadata });
  error.details = details.map((detail) =>
    "desc" in detail
      ? { type: detail.desc.typeName, value: toBinary(detail.desc, create(detail.desc, detail.value)) }
      : detail,
  );
  return error;
}

const errorInfo = (domain: string, reason: string, metadata: Record<string, string> = {}) => ({
  desc: ErrorInfoSchema,
  value: { domain, reason, metadata },
});

describe("evidence counts in the order of trust", () => {
  const detail = { desc: DisconnectSchema, value: { reason: { case: "kicked", value: { code: "afk" } } } } as const;
  const info = errorInfo("farewell.v1", "BANNED");
  const mirror = { "farewell-reason": "superseded", "farewell-by": "phone" };
  const notice: DisconnectInit = { reason: "maintenance" };

  test.each([
    ["our detail", [detail, info], mirror, Code.Internal, "kicked", "detail"],
    ["ErrorInfo", [info], mirror, Code.Internal, "banned", "detail"],
    ["the mirror", [], mirror, Code.Internal, "superseded", "trailer"],
    ["a notice", [], {}, Code.Internal, "maintenance", "notice"],
    ["a notice of the code that goes with it", [], {}, Code.Unavailable, "maintenance", "notice"],
    ["the status, where a notice cannot explain it", [], {}, Code.Unauthenticated, "unauthenticated", "status"],
  ])("%s", (_, details, metadata, code, reason, source) => {
    const error = fromWire(code, details as ConnectError["details"], metadata);
    expect(classify({ error }, { now, notice })).toMatchObject({ reason, source, said: true, cause: error });
  });

  test("our own cancellation is no disconnect, whatever came with it", () => {
    expect(classify({ error: fromWire(Code.Canceled, [detail]), canceled: true }, { notice })).toBeUndefined();
  });

  test("a reason of a later protocol version falls back to the next best evidence", () => {
    const later = { type: "farewell.v1.Disconnect", value: new Uint8Array([0x9a, 0x06, 0x00]) }; // field 99
    expect(classify({ error: fromWire(7, [later, info]) })?.reason).toBe("banned");
    expect(classify({ error: fromWire(7, [later]) })).toBeUndefined();
  });
});

describe("an app's own reasons", () => {
  const reasons = {
    "game.example.com": {
      PLAYER_BANNED: "banned",
      CHEATING: { reason: "kicked", fields: ({ rule }) => ({ code: rule }) },
      BROKEN: {
        reason: "kicked",
        fields: () => {
          throw new Error("bug");
        },
      },
    },
  } as const satisfies ClassifyOptions["reasons"];

  test.each([
    [
      "PLAYER_BANNED",
      { until: "2031-05-06T00:00:00Z", code: "c" },
      { reason: "banned", until: new Date("2031-05-06"), code: "c" },
    ],
    ["CHEATING", { rule: "aimbot" }, { reason: "kicked", code: "aimbot" }],
  ])("are mapped by domain and reason: %s", (reason, metadata, expected) => {
    const error = fromWire(7, [errorInfo("game.example.com", reason, metadata)]);
    expect(classify({ error }, { reasons })).toMatchObject({ ...expected, said: true, source: "detail" });
  });

  test.each(["BROKEN", "UNKNOWN", "constructor", "__proto__", "toString"])("leave %s to the status", (reason) => {
    expect(classify({ error: fromWire(7, [errorInfo("game.example.com", reason)]) }, { reasons })).toBeUndefined();
  });

  test.each(["constructor", "__proto__", "other.example.com"])("do not reach the domain %s", (domain) => {
    expect(classify({ error: fromWire(7, [errorInfo(domain, "PLAYER_BANNED")]) }, { reasons })).toBeUndefined();
  });
});

describe("times", () => {
  const retry = (seconds: bigint, nanos = 0) => ({ desc: RetryInfoSchema, value: { retryDelay: { seconds, nanos } } });

  test.each([
    ["RetryInfo", [retry(30n, 500_000_000)], {}, now + 30_500],
    ["retry-after in seconds", [], { "retry-after": "120" }, now + 120_000],
    ["retry-after as a date", [], { "retry-after": "Tue, 01 Jan 2030 00:10:00 GMT" }, now + 600_000],
    ["grpc-retry-pushback-ms", [], { "grpc-retry-pushback-ms": "1500" }, now + 1_500],
    ["RetryInfo before the headers", [retry(1n)], { "retry-after": "9", "grpc-retry-pushback-ms": "9" }, now + 1_000],
    ["the same header in headers and trailers", [], { "retry-after": "3, 3" }, now + 3_000],
    ["an absurdly long delay, kept printable", [retry(10n ** 15n)], {}, Date.UTC(9999, 11, 31, 23, 59, 59, 999)],
  ])("%s", (_, details, metadata, at) => {
    const error = fromWire(Code.ResourceExhausted, details as ConnectError["details"], metadata);
    expect(classify({ error }, { now })).toMatchObject({ reason: "throttled", retryAt: new Date(at) });
  });

  test.each([
    ["a negative delay", [retry(-5n)], {}],
    ["a negative pushback", [], { "grpc-retry-pushback-ms": "-1" }],
    ["words", [], { "retry-after": "soon", "grpc-retry-pushback-ms": "1e9" }],
  ])("%s is no time", (_, details, metadata) => {
    const error = fromWire(Code.ResourceExhausted, details as ConnectError["details"], metadata);
    expect(classify({ error }, { now })).toMatchObject({ reason: "throttled", retryAt: undefined });
  });

  test("a ban's date outside the years 1 to 9999 is brought back into them", () => {
    const until = (seconds: bigint) => {
      const value = { reason: { case: "banned", value: { until: { seconds, nanos: 0 } } } } as const;
      return classify({ error: fromWire(7, [{ desc: DisconnectSchema, value }]) });
    };
    expect(until(10n ** 12n)).toMatchObject({ until: new Date("9999-12-31T23:59:59.999Z") });
    expect(until(-(10n ** 12n))).toMatchObject({ until: new Date("0001-01-01T00:00:00.000Z") });
  });
});

describe("a clean end", () => {
  test("completes a stream, and is a loss on an endless one", () => {
    expect(classify({ trailer: new Headers() })).toBeUndefined();
    expect(classify({ trailer: new Headers(), endless: true })).toMatchObject({ reason: "aborted", said: false });
  });

  test("is not believed where grpc-status or the mirror in the trailers say otherwise", () => {
    expect(classify({ trailer: new Headers({ "grpc-status": "8" }) })).toMatchObject({ reason: "throttled" });
    expect(classify({ trailer: new Headers({ "grpc-status": "7" }) })).toBeUndefined();
    const trailer = new Headers({ "grpc-status": "7", "farewell-reason": "kicked", "farewell-code": "a%2Cb" });
    expect(classify({ trailer })).toMatchObject({ reason: "kicked", code: "a,b", source: "trailer" });
  });
});

const date = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
const text = (max: number) =>
  fc.string({ unit: "grapheme", maxLength: 20 }).filter((s) => new TextEncoder().encode(s).length <= max);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const shared = { message: text(1_000), localized: optional(fc.record({ locale: text(100), message: text(1_000) })) };
const retryAt = optional(fc.date({ min: new Date(now), max: new Date("9999-12-31"), noInvalidDate: true }));

/** Any words that a server of ours can say. */
const words: fc.Arbitrary<DisconnectInit> = fc.oneof(
  fc.record({ reason: fc.constant("kicked" as const), ...shared, code: optional(text(100)) }),
  fc.record({ reason: fc.constant("banned" as const), ...shared, code: optional(text(100)), until: optional(date) }),
  fc.record({ reason: fc.constant("superseded" as const), ...shared, by: optional(text(100)) }),
  fc.record({ reason: fc.constantFrom("maintenance" as const, "throttled" as const), ...shared, retryAt }),
  fc.record({ reason: fc.constantFrom("unauthenticated" as const, "aborted" as const, "network" as const), ...shared }),
);

describe("toConnectError and classify", () => {
  test("are each other's inverse", () => {
    fc.assert(
      fc.property(words, (said) => {
        const error = toConnectError(said, now);
        const { cause, said: told, source, ...rest } = classify({ error }, { now }) ?? {};
        expect(rest).toEqual(said);
        expect({ cause, told, source }).toEqual({ cause: error, told: true, source: "detail" });
      }),
      { numRuns: 2_000 },
    );
  });

  test("keep the words within what trailers can carry, and valid", () => {
    const long = "ü".repeat(100_000);
    const error = toConnectError({
      reason: "kicked",
      code: long,
      message: long,
      localized: { locale: "de", message: long },
    });
    const found = classify({ error });
    expect(found?.message).toBe(`${"ü".repeat(498)}…`);
    expect(encodeURIComponent(error.rawMessage).length).toBeLessThan(3_100);
    expect(toConnectError({ reason: "kicked", message: "\ud800" }).rawMessage).toBe("\ufffd");
  });

  test.each([
    [{ reason: "fired" }, 'disconnect.reason: expected "kicked" or'],
    [{ reason: "banned", until: new Date(Number.NaN) }, "disconnect.until: expected a Date in the years 1 to 9999"],
    [{ reason: "banned", until: new Date(8e15) }, "disconnect.until"],
    [{ reason: "kicked", code: 7 }, "disconnect.code: expected a string, got 7"],
    [{ reason: "kicked", localized: { locale: "de" } }, "disconnect.localized.message"],
    [null, "disconnect: expected an object, got null"],
  ])("refuse %j by the field's name", (init, message) => {
    expect(() => toConnectError(init as never)).toThrow(message);
  });
});

describe("hostile and broken input", () => {
  const cyclic = new Error("cyclic");
  cyclic.cause = cyclic;
  const touchy = new Proxy(new Error("touchy"), {
    get() {
      throw new Error("do not touch");
    },
  });
  const odd: unknown[] = [
    undefined,
    null,
    0,
    "kicked",
    Symbol("kicked"),
    { code: 7, reason: "kicked" },
    () => {},
    cyclic,
    touchy,
    new ConnectError("kicked", 7, {}, [], cyclic),
    Object.assign(new ConnectError("kicked", 7), { details: [null, 1, {}, { type: "farewell.v1.Disconnect" }] }),
    Object.assign(new ConnectError("kicked", 7), { metadata: null }),
  ];

  test.each(odd.map((error) => [error]))("never throws and is no verdict: %#", (error) => {
    for (const evidence of [{ error }, { error, connection: "closed" as const }]) {
      expect(verdicts).not.toContain(classify(evidence)?.reason);
    }
    expect(verdicts).not.toContain(disconnectOf(error)?.reason);
  });

  test("never throws and never speaks a verdict that the server did not speak", () => {
    const junk: fc.Arbitrary<Evidence> = fc.record({
      error: fc
        .record({
          code: fc.integer({ min: -2, max: 40 }),
          message: fc.oneof(
            fc.string(),
            fc.constantFrom("kicked", "banned", "HTTP 403", "HTTP 999", "Session closed with error code 11"),
          ),
          type: fc.constantFrom("farewell.v1.Disconnect", "google.rpc.ErrorInfo", "google.rpc.RetryInfo", "x"),
          value: fc.uint8Array({ maxLength: 40 }),
          retryAfter: fc.constantFrom("", "-1", "1e999", "9".repeat(400), "Mon, 99 Foo 99999 GMT"),
        })
        .map(({ code, message, type, value, retryAfter }) => {
          const error = new ConnectError(message, code, { "retry-after": retryAfter });
          error.details = [{ type, value }];
          return error;
        }),
      connection: fc.constantFrom("open", "closed", "error", undefined),
    });
    fc.assert(
      fc.property(junk, (evidence) => {
        const found = classify(evidence, { now });
        // Random bytes can by chance be a well-formed detail that names a verdict; then it was spoken.
        if (found && verdicts.includes(found.reason)) expect(found.source).toBe("detail");
        if (found && "retryAt" in found && found.retryAt) expect(Number.isNaN(found.retryAt.getTime())).toBe(false);
      }),
      { numRuns: 5_000 },
    );
  });

  test("a message of a megabyte is cut for the view and kept in the cause", () => {
    const error = fromWire(Code.Internal, [], {}, "x".repeat(1 << 20));
    const found = classify({ error });
    expect(found?.message).toHaveLength(4_096);
    expect(found?.cause).toBe(error);
  });

  test("a bare status or reset is never a verdict, whatever its text", () => {
    for (const reason of builtInReasons) {
      for (let code = 1; code <= 16; code++) {
        expect(verdicts).not.toContain(classify({ error: fromWire(code, [], {}, reason) })?.reason);
      }
    }
  });
});
