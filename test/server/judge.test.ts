import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { builtInReasons } from "../../src/index.js";
import { judge } from "../../src/server/admission/judge.js";
import { isRevoked } from "../../src/server/store/revocation.js";
import type { Restriction } from "../../src/server/store/store.js";
import { type Identity, whoIs } from "../../src/server/who/identity.js";
import type { Words } from "../../src/server/words/words.js";

const now = Date.UTC(2030, 0, 1);
const who = (identity: Identity = {}) => whoIs(identity, { header: new Headers() });
const restriction = (reason: Words["reason"], until?: number): Restriction => ({
  key: "user:u",
  verdict: `${reason} ${until}`,
  words: { reason } as Words,
  until,
  once: false,
});
const told = (restrictions: readonly Restriction[], identity?: Identity) =>
  judge(who(identity), restrictions, undefined, now, 0);

describe("at the door", () => {
  test("nobody is refused without a ground", () => {
    expect(told([])).toBeUndefined();
    expect(judge(who({ user: "u", epoch: 2 }), [], { number: 2, revokedAt: now }, now, 0)).toBeUndefined();
  });

  test("a restriction is told in its own words, and named", () => {
    const ban = restriction("banned", now + 1);
    expect(told([ban])).toEqual({ words: ban.words, restriction: ban });
    expect(told([ban])?.words).toBe(ban.words);
  });

  test("the gravest reason is told, in whichever order they were found", () => {
    const reason = fc.constantFrom("banned", "kicked", "superseded", "unauthenticated", "maintenance", "throttled");
    const order = ["banned", ...builtInReasons.filter((one) => one !== "banned")];
    const restrictions = fc.array(
      fc.tuple(reason, fc.option(fc.integer({ min: now, max: now + 100 }), { nil: undefined })),
      {
        minLength: 1,
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(restrictions, (given) => {
        const all = given.map(([name, until]) => restriction(name as Words["reason"], until));
        const found = told(all)?.restriction as Restriction;
        const rank = ({ words }: Restriction) => order.indexOf(words.reason);
        const end = ({ until }: Restriction) => until ?? Number.POSITIVE_INFINITY;
        expect(rank(found)).toBe(Math.min(...all.map(rank)));
        expect(end(found)).toBe(Math.max(...all.filter((one) => rank(one) === rank(found)).map(end)));
      }),
    );
  });

  test("a ban outweighs a kick, and a ban for good one that ends", () => {
    const forGood = restriction("banned");
    expect(told([restriction("kicked"), restriction("banned", now + 9e9), forGood])?.restriction).toBe(forGood);
    expect(told([restriction("throttled"), restriction("superseded")])?.words.reason).toBe("superseded");
  });

  test("judging leaves the list as it was", () => {
    const restrictions = Object.freeze([restriction("kicked"), restriction("banned")]);
    expect(told(restrictions)?.words.reason).toBe("banned");
  });

  test("credentials that have ended are no longer good, from that very moment on", () => {
    const expired = (at: number) => told([], { expiresAt: new Date(at) })?.words;
    expect(expired(now + 1)).toBeUndefined();
    expect(expired(now)).toEqual({ reason: "unauthenticated", message: "the credentials have expired" });
    expect(expired(now - 1)?.reason).toBe("unauthenticated");
  });

  test("a ban is told even to credentials that have ended or were revoked", () => {
    const identity = { expiresAt: new Date(now - 1), epoch: 0 };
    expect(judge(who(identity), [restriction("banned")], { number: 1, revokedAt: now }, now, 0)?.words.reason).toBe(
      "banned",
    );
  });

  test("a revoked token is told so", () => {
    const found = judge(who({ epoch: 0 }), [], { number: 1, revokedAt: now }, now, 0);
    expect(found).toEqual({
      words: { reason: "unauthenticated", message: "the credentials were revoked" },
      restriction: undefined,
    });
  });
});

describe("a token", () => {
  const revokedAt = now + 400; // within a second
  const at = (ms: number, skewMs = 0) => isRevoked(who({ issuedAt: new Date(ms) }), { number: 1, revokedAt }, skewMs);

  test.each<[string, number, boolean]>([
    ["a second before", now - 1_000, true],
    ["in the same second, before", now, true],
    ["in the same second, after, which whole seconds cannot tell", now + 900, true],
    ["in the next second", now + 1_000, false],
    ["later", now + 60_000, false],
  ])("that was issued %s is revoked or not: %d", (_, issuedAt, revoked) => {
    expect(at(issuedAt)).toBe(revoked);
  });

  test.each<[string, number, number, boolean]>([
    ["an issuer whose clock is ahead by less than the skew", now + 1_000, 1_000, true],
    ["an issuer whose clock is ahead by all of it", now + 1_400, 1_000, true],
    ["a token from after the skew", now + 2_000, 1_000, false],
    ["no skew", now + 1_000, 0, false],
  ])("with %s", (_, issuedAt, skewMs, revoked) => {
    expect(at(issuedAt, skewMs)).toBe(revoked);
  });

  test("with an epoch is judged by it alone, whatever its clock said", () => {
    const token = (epoch: number, issuedAt?: number) =>
      isRevoked(
        who({ epoch, ...(issuedAt !== undefined && { issuedAt: new Date(issuedAt) }) }),
        { number: 2, revokedAt },
        1_000,
      );
    expect(token(1)).toBe(true);
    expect(token(2)).toBe(false);
    expect(token(1, revokedAt + 9e9)).toBe(true); // a clock far ahead does not save it
    expect(token(2, revokedAt - 9e9)).toBe(false); // nor does one far behind condemn it
    expect(token(3, 0)).toBe(false);
  });

  test("that tells neither cannot be told to be fresh", () => {
    expect(isRevoked(who({ user: "u" }), { number: 9, revokedAt }, 1e9)).toBe(true);
  });

  test("once revoked stays so, and a later revocation revokes no less", () => {
    const time = fc.integer({ min: now - 10_000, max: now + 10_000 });
    fc.assert(
      fc.property(time, time, fc.nat(5_000), fc.nat(5_000), (issuedAt, first, more, skewMs) => {
        const token = who({ issuedAt: new Date(issuedAt) });
        const early = isRevoked(token, { number: 1, revokedAt: first }, skewMs);
        const late = isRevoked(token, { number: 2, revokedAt: first + more }, skewMs);
        expect(early && !late).toBe(false);
        if (issuedAt <= first) expect(early).toBe(true); // what was issued before never survives
      }),
    );
  });
});
