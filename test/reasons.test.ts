import { describe, expect, expectTypeOf, test } from "vitest";
import { type BuiltInReason, builtInReasons, vocabulary } from "../src/disconnect/reasons.js";
import { DisconnectSchema } from "../src/gen/farewell/v1/disconnect_pb.js";
import type { DisconnectReasons } from "../src/index.js";
import { defaultPolicies } from "../src/index.js";

// The table of reasons against the proto file, which is the one other place where they are listed.

describe("the table of reasons", () => {
  const messages = DisconnectSchema.oneofs.find(({ localName }) => localName === "reason")?.fields ?? [];

  test("has the reasons of the proto file, in the order of their numbers", () => {
    expect(builtInReasons).toEqual(messages.map(({ localName }) => localName));
    expect(messages.map(({ number }) => number)).toEqual(builtInReasons.map((_, index) => index + 1));
  });

  test.each(messages.map(({ localName, message }) => [localName as BuiltInReason, message?.fields]))(
    "has the fields of the proto file for %s, in the order of their numbers",
    (reason, fields = []) => {
      const names = fields.map(({ localName }) => (localName === "retryAfter" ? "retryAt" : localName));
      expect(vocabulary[reason].fields).toEqual(names);
      expect(fields.map(({ number }) => number)).toEqual(names.map((_, index) => index + 1));
    },
  );

  test("gives each reason its default policy, and what all share is in each that reconnects", () => {
    expect(Object.keys(defaultPolicies)).toEqual(builtInReasons);
    for (const reason of builtInReasons) {
      const { policy } = vocabulary[reason];
      if (policy === "end") expect(defaultPolicies[reason]).toBe("end");
      else
        expect(defaultPolicies[reason]).toMatchObject({ factor: 2, jitter: "full", maxServerMs: 3_600_000, ...policy });
    }
  });

  test("gives each reason the types of its fields", () => {
    expectTypeOf<DisconnectReasons["banned"]>().toEqualTypeOf<{
      readonly until: Date | undefined;
      readonly code: string | undefined;
    }>();
    expectTypeOf<keyof DisconnectReasons["network"]>().toEqualTypeOf<never>();
  });
});
