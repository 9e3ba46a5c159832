import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Identity, whoIs } from "../../src/server/who/identity.js";

const call = (claim?: string) => ({
  header: new Headers(claim === undefined ? {} : { "farewell-session": claim }),
});

describe("an identity", () => {
  test("may be nothing at all", () => {
    const nobody = {
      user: undefined,
      session: undefined,
      claim: undefined,
      device: undefined,
      tags: [],
      label: undefined,
      epoch: undefined,
      issuedAt: undefined,
      expiresAt: undefined,
    };
    expect(whoIs(undefined, call())).toEqual(nobody);
    expect(whoIs({}, call())).toEqual(nobody);
  });

  test("is taken as it is, with times as epoch ms", () => {
    const identity = {
      user: "u",
      session: "s",
      device: "d",
      tags: ["a", "b"],
      label: "iPad",
      epoch: 3,
      issuedAt: new Date(5_000),
      expiresAt: new Date(9_000),
    };
    expect(whoIs(identity, call("abcdefgh"))).toEqual({
      ...identity,
      claim: "abcdefgh",
      issuedAt: 5_000,
      expiresAt: 9_000,
    });
  });

  test("does not change afterwards, whatever the app does with its own array of tags", () => {
    const tags = ["lobby"];
    const who = whoIs({ tags }, call());
    tags[0] = "arena";
    expect(who.tags).toEqual(["lobby"]);
  });

  test.each<[object | string, string]>([
    ["u1", 'the answer of identify: expected an object, got "u1"'],
    [{ sub: "u1" }, "the answer of identify.sub: unknown; expected one of user, session"],
    [{ user: "" }, 'the answer of identify: user: expected a string that is not empty, or undefined, got ""'],
    [{ user: 7 }, "the answer of identify: user: expected a string that is not empty, or undefined, got 7"],
    [{ session: null }, "the answer of identify: session: expected a string that is not empty, or undefined, got null"],
    [{ device: {} }, "the answer of identify: device: expected a string"],
    [{ label: "" }, "the answer of identify: label: expected a string"],
    [{ address: "::1" }, "the answer of identify.address: unknown"],
    [{ tags: "vip" }, 'the answer of identify: tags: expected an array of strings, got "vip"'],
    [{ tags: ["vip", 1] }, "the answer of identify: tags: expected an array of strings"],
    [{ epoch: "1" }, 'the answer of identify: epoch: expected a number of at least 0, got "1"'],
    [{ epoch: -1 }, "the answer of identify: epoch: expected a number of at least 0, got -1"],
    [{ epoch: Number.NaN }, "the answer of identify: epoch: expected a number of at least 0, got NaN"],
    [{ issuedAt: 1_700_000_000 }, "a JWT has seconds: new Date(iat * 1000)"],
    [{ expiresAt: new Date(Number.NaN) }, "the answer of identify: expiresAt: expected a Date"],
  ])("that is none is refused by the name of the field: %j", (answer, message) => {
    expect(() => whoIs(answer as Identity, call())).toThrow(message);
    expect(() => whoIs(answer as Identity, call())).toThrow(TypeError);
  });
});

describe("the client's own name for its session", () => {
  const claim = "0123456789abcdef0123456789abcdef";

  test("is taken where the app names none, and kept beside the app's own", () => {
    expect(whoIs({ user: "u" }, call(claim))).toMatchObject({ session: claim, claim });
    expect(whoIs({ user: "u", session: "s" }, call(claim))).toMatchObject({ session: "s", claim });
  });

  test.each([
    "",
    "short",
    "x".repeat(101),
    "has space",
    'quote"d0',
    "claim:abcd",
    "umläutüü",
    "semi;colon",
    "a,b,c,d,e",
  ])("is not taken unless it is short and harmless: %j", (odd) => {
    const header = { get: () => odd } as unknown as Headers; // not all of them pass a real header
    expect(whoIs({}, { header })).toMatchObject({ session: undefined, claim: undefined });
  });

  test("is either taken letter by letter or not at all", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 120 }), (text) => {
        const { session } = whoIs({}, { header: { get: () => text } as unknown as Headers });
        expect([undefined, text]).toContain(session);
        expect(session ?? "abcdefgh").toMatch(/^[A-Za-z0-9_.~-]{8,100}$/);
      }),
    );
  });
});
