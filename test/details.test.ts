import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { detailsOf } from "../src/disconnect/details.js";
import { builtInReasons } from "../src/disconnect/reasons.js";
import { DisconnectSchema } from "../src/gen/farewell/v1/disconnect_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";

// The details are read by hand. What the generated code writes must come out as it went in.

const nothing = { disconnect: undefined, errorInfos: [], retryInfo: undefined, localized: undefined };

function read<D extends DescMessage>(desc: D, value: MessageInitShape<D>) {
  const message = create(desc, value);
  const bytes = toBinary(desc, message);
  const received = detailsOf([{ type: desc.typeName, value: bytes }]);
  expect(detailsOf([{ desc, value: message }])).toEqual(received); // on no wire yet
  return received;
}

function written(write: (writer: BinaryWriter) => BinaryWriter): Uint8Array {
  return write(new BinaryWriter()).finish();
}

const text = fc.string({ unit: "binary" }).map((text) => text.toWellFormed());
const time = fc.record({
  seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});
const msOf = ({ seconds, nanos }: { seconds: bigint; nanos: number }) => Number(seconds) * 1000 + nanos / 1e6;

describe("a Disconnect", () => {
  const fields = fc.record(
    { code: text, by: text, until: time, retryAfter: time, reserved: fc.boolean() },
    {
      requiredKeys: [],
    },
  );

  test.each(builtInReasons)("that is %s is read with its own fields", (reason) => {
    const { message } = DisconnectSchema.fields.find(({ localName }) => localName === reason) ?? {};
    const own = new Set(message?.fields.map(({ localName }) => localName));
    fc.assert(
      fc.property(fields, (any) => {
        const value = Object.fromEntries(Object.entries(any).filter(([name]) => own.has(name))) as typeof any;
        const { disconnect } = read(DisconnectSchema, {
          reason: { case: reason, value } as { case: "aborted"; value: object },
        });
        expect(disconnect).toEqual({
          reason,
          code: value.code,
          by: value.by,
          untilMs: value.until && msOf(value.until),
          retryMs: value.retryAfter && msOf(value.retryAfter),
          reserved: value.reserved || undefined,
        });
      }),
    );
  });

  test("without a reason, or with one of a later version, says nothing", () => {
    expect(read(DisconnectSchema, {})).toEqual(nothing);
    const later = written((writer) => writer.tag(99, WireType.LengthDelimited).bytes(new Uint8Array()));
    expect(detailsOf([{ type: "farewell.v1.Disconnect", value: later }])).toEqual(nothing);
  });

  test("is read past fields of later versions, and the last of two reasons counts", () => {
    const value = written((writer) =>
      writer
        .tag(1, WireType.LengthDelimited)
        .bytes(new Uint8Array())
        .tag(200, WireType.Bit32)
        .fixed32(7)
        .tag(201, WireType.Bit64)
        .double(7)
        .tag(202, WireType.StartGroup)
        .tag(3, WireType.Varint)
        .uint32(1)
        .tag(202, WireType.EndGroup)
        .tag(8, WireType.LengthDelimited)
        .bytes(new Uint8Array())
        .tag(203, WireType.Varint)
        .uint32(1),
    );
    expect(detailsOf([{ type: "farewell.v1.Disconnect", value }]).disconnect?.reason).toBe("network");
  });
});

describe("of google.rpc", () => {
  test("ErrorInfo is read", () => {
    fc.assert(
      fc.property(fc.record({ reason: text, domain: text, metadata: fc.dictionary(text, text) }), (info) => {
        expect(read(ErrorInfoSchema, info)).toEqual({
          ...nothing,
          errorInfos: [{ ...info, metadata: { ...info.metadata } }],
        });
      }),
    );
  });

  test("RetryInfo is read, also one without a time", () => {
    fc.assert(
      fc.property(fc.option(time, { nil: undefined }), (retryDelay) => {
        const retryMs = retryDelay && msOf(retryDelay);
        expect(read(RetryInfoSchema, retryDelay ? { retryDelay } : {})).toEqual({ ...nothing, retryInfo: { retryMs } });
      }),
    );
  });

  test("LocalizedMessage is read", () => {
    fc.assert(
      fc.property(fc.record({ locale: text, message: text }), (localized) => {
        expect(read(LocalizedMessageSchema, localized)).toEqual({ ...nothing, localized });
      }),
    );
  });
});

const types = [DisconnectSchema, ErrorInfoSchema, RetryInfoSchema, LocalizedMessageSchema].map(
  ({ typeName }) => typeName,
);

test("what cannot be decoded was not said, and the next of its kind counts", () => {
  const bad = new Uint8Array([0x0a, 0xff]); // a length beyond the end
  const notUtf8 = new Uint8Array([0x0a, 0x01, 0xff]);
  for (const type of types) expect(detailsOf([{ type, value: bad }])).toEqual(nothing);
  const type = "google.rpc.LocalizedMessage";
  const value = toBinary(LocalizedMessageSchema, create(LocalizedMessageSchema, { locale: "de" }));
  const details = [bad, notUtf8, value].map((value) => ({ type, value }));
  expect(detailsOf(details).localized).toEqual({ locale: "de", message: "" });
});

test("nothing that a server can send throws", () => {
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 40 }), (type, value) => {
      detailsOf([{ type, value }]);
    }),
    { numRuns: 5_000 },
  );
});
