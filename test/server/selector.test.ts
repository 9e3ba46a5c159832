import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Identity, whoIs } from "../../src/server/who/identity.js";
import { checkSelector, claimKeyOf, keyOf, keysOf, matches, type Selector } from "../../src/server/who/selector.js";

const whoever = (identity: Identity, claim?: string) =>
  whoIs(identity, { header: new Headers(claim === undefined ? {} : { "farewell-session": claim }) });
const ann = whoever({ user: "ann", session: "s1", tags: ["room:1", "beta"] });
const guest = whoever({});

describe("a selector", () => {
  test.each<[Selector, boolean, boolean]>([
    [{ all: true }, true, true],
    [{ user: "ann" }, true, false],
    [{ user: "bob" }, false, false],
    [{ session: "s1" }, true, false],
    [{ session: "s2" }, false, false],
    [{ tag: "beta" }, true, false],
    [{ tag: "bet" }, false, false],
    [{ stream: "x-1" }, true, true],
    [{ stream: "x-2" }, false, false],
    [{ user: "ann", session: "s1", tag: "room:1", stream: "x-1" }, true, false],
    [{ user: "ann", session: "s2" }, false, false],
    [{ user: "ann", tag: "room:2" }, false, false],
    [{ all: true, tag: "beta" }, true, false],
    [{ all: true, except: { session: "s1" } }, false, true],
    [{ all: true, except: { session: "s2" } }, true, true],
    [{ all: true, except: { stream: "x-1" } }, false, false],
    [{ user: "ann", except: { stream: "x-2" } }, true, false],
    [{ user: "ann", except: { session: "s1", stream: "x-2" } }, false, false],
    [{ user: "ann", except: {} }, true, false],
    [{ user: "ann", session: undefined, tag: undefined, except: undefined }, true, false],
  ])("%j means the user: %s, the guest: %s", (selector, user, stranger) => {
    expect(checkSelector(selector)).toBe(selector);
    expect([matches(selector, ann, "x-1"), matches(selector, guest, "x-1")]).toEqual([user, stranger]);
  });

  test("means what each of its fields means, and nobody that is excepted", () => {
    const name = fc.constantFrom("a", "b", undefined);
    const fields = fc.record({ user: name, session: name, tag: name, stream: name });
    const person = fc.record({
      user: name,
      session: name,
      tags: fc.subarray(["a", "b"]),
    });
    fc.assert(
      fc.property(fields, name, person, fc.constantFrom("a", "b"), (given, excepted, identity, stream) => {
        const who = whoever(identity);
        const alone = (Object.keys(given) as (keyof typeof given)[]).map((field) =>
          matches({ all: true, [field]: given[field] }, who, stream),
        );
        const selector = { all: true, ...given, except: { session: excepted } } as const;
        const meant = alone.every(Boolean) && (excepted === undefined || excepted !== who.session);
        expect(matches(selector, who, stream)).toBe(meant);
      }),
    );
  });

  test.each<[unknown, string]>([
    [undefined, "selector: expected an object, got undefined"],
    [null, "selector: expected an object, got null"],
    ["ann", 'selector: expected an object, got "ann"'],
    [{}, "selector: expected one of user, session, tag, stream, or all: true, got {}"],
    [{ user: undefined }, "selector: expected one of user, session, tag, stream, or all: true, got {}"],
    [{ except: { session: "s" } }, "selector: expected one of user, session, tag, stream, or all: true"],
    [{ user: "" }, 'selector.user: expected a string that is not empty, got ""'],
    [{ user: 7 }, "selector.user: expected a string that is not empty, got 7"],
    [{ session: null }, "selector.session: expected a string that is not empty, got null"],
    [{ all: false }, "selector.all: expected true, or nothing, got false"],
    [{ all: "yes" }, 'selector.all: expected true, or nothing, got "yes"'],
    [{ users: "ann" }, "selector.users: unknown; expected one of user, session, tag, stream, all, except"],
    [{ all: true, except: "s" }, 'selector.except: expected an object, got "s"'],
    [{ all: true, except: { user: "a" } }, "selector.except.user: unknown; expected one of session, stream"],
    [{ all: true, except: { session: "" } }, 'selector.except.session: expected a string that is not empty, got ""'],
  ])("that is none is refused by the name of the field: %j", (selector, message) => {
    expect(() => checkSelector(selector)).toThrow(message);
    expect(() => checkSelector(selector)).toThrow(TypeError);
  });
});

describe("what is held against those who come later", () => {
  test.each<[Selector, string]>([
    [{ user: "ann" }, "user:ann"],
    [{ session: "s1" }, "session:s1"],
    [{ tag: "beta" }, "tag:beta"],
    [{ user: "ann", tag: undefined }, "user:ann"],
  ])("is held under one key: %j", (selector, key) => {
    expect(keyOf(selector)).toBe(key);
    expect(keysOf(ann)).toContain(key);
  });

  test.each<[Selector]>([
    [{ all: true }],
    [{ all: true, user: "ann" }],
    [{ stream: "x-1" }],
    [{ user: "ann", stream: "x-1" }],
    [{ user: "ann", session: "s1" }],
    [{ user: "ann", except: { session: "s1" } }],
  ])("cannot be held under more or less than one: %j", (selector) => {
    expect(() => keyOf(selector)).toThrow("exactly one of user, session and tag");
    expect(() => keyOf(selector)).toThrow(TypeError);
  });

  test("never comes from a name that another kind of thing has", () => {
    const tricky = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("user:a", "tag:a", "session:a", "claim:a"));
    fc.assert(
      fc.property(tricky, tricky, (mine, theirs) => {
        const who = whoever({ user: mine, session: mine, tags: [mine] });
        const kinds = ["user", "session", "tag"] as const;
        for (const kind of kinds) expect(keysOf(who).includes(keyOf({ [kind]: theirs }))).toBe(mine === theirs);
        expect(new Set(keysOf(who)).size).toBe(3);
      }),
    );
  });

  test("nothing is held against somebody of whom nothing is known", () => {
    expect(keysOf(guest)).toEqual([]);
    expect(claimKeyOf(guest)).toBeUndefined();
  });

  test("a session that is merely claimed counts for its own user only, but a session's ban counts for who claims it", () => {
    const claimed = whoever({ user: "ann" }, "abcdefgh");
    const thief = whoever({ user: "eve" }, "abcdefgh");
    expect(claimKeyOf(claimed)).not.toBe(claimKeyOf(thief));
    expect(keysOf(thief)).not.toContain(claimKeyOf(claimed));
    expect(keysOf(claimed)).toEqual(["user:ann", "session:abcdefgh", claimKeyOf(claimed)]);
    expect(claimKeyOf(ann)).toBeUndefined();
    const confusing = [
      whoever({ user: 'a","b' }, "abcdefgh"),
      whoever({ user: "a" }, "abcdefgh"),
      whoever({}, "abcdefgh"),
    ];
    expect(new Set(confusing.map(claimKeyOf)).size).toBe(3);
  });
});
