import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AdmittedStream, createAdmittedStream } from "../../src/server/inside/admitted-stream.js";
import { createRegistry } from "../../src/server/inside/registry.js";
import { type Identity, whoIs } from "../../src/server/who/identity.js";
import { matches, type Selector } from "../../src/server/who/selector.js";

function admitted(id: string, identity: Identity): AdmittedStream {
  const who = whoIs(identity, { header: new Headers() });
  const { user, session, device, tags } = who;
  const stream = {
    id,
    user,
    session,
    device,
    tags,
    method: "a/b",
    controlStream: false,
    peer: undefined,
    since: new Date(0),
  };
  return createAdmittedStream(stream, who, undefined, () => {});
}

describe("the registry", () => {
  test("finds who matches, in the order in which they came", () => {
    const registry = createRegistry();
    const all = [
      admitted("1", { user: "ann", session: "s1", tags: ["lobby"] }),
      admitted("2", { user: "bob", session: "s2", tags: ["lobby", "arena"] }),
      admitted("3", { user: "ann", session: "s3" }),
      admitted("4", {}),
    ];
    for (const one of all) registry.add(one);
    const ids = (selector: Selector) => registry.find(selector).map(({ stream }) => stream.id);
    expect(ids({ all: true })).toEqual(["1", "2", "3", "4"]);
    expect(ids({ user: "ann" })).toEqual(["1", "3"]);
    expect(ids({ tag: "lobby" })).toEqual(["1", "2"]);
    expect(ids({ session: "s2" })).toEqual(["2"]);
    expect(ids({ stream: "4" })).toEqual(["4"]);
    expect(ids({ user: "ann", tag: "lobby" })).toEqual(["1"]);
    expect(ids({ user: "ann", except: { session: "s1" } })).toEqual(["3"]);
    expect(ids({ user: "eve" })).toEqual([]);
    expect(registry.counts()).toEqual({ streams: 4, users: 2, sessions: 3 });
  });

  test("an old teardown does not remove a new registration of the same name", () => {
    const registry = createRegistry();
    const [old, fresh] = [admitted("1", { user: "ann" }), admitted("1", { user: "ann" })];
    registry.add(old);
    registry.remove(old);
    registry.add(fresh);
    registry.remove(old);
    registry.remove(old);
    expect(registry.find({ user: "ann" })).toEqual([fresh]);
    expect(registry.size).toBe(1);
  });

  test("removing who was never inside changes nothing", () => {
    const registry = createRegistry();
    registry.add(admitted("1", { user: "ann" }));
    registry.remove(admitted("2", { user: "ann" }));
    expect(registry.counts()).toEqual({ streams: 1, users: 1, sessions: 0 });
  });

  test("a list that was taken does not change while people leave", () => {
    const registry = createRegistry();
    const streams = ["1", "2", "3"].map((id) => admitted(id, { user: "ann" }));
    for (const one of streams) registry.add(one);
    const found = registry.find({ user: "ann" });
    for (const one of found) registry.remove(one);
    expect(found).toEqual(streams);
    expect(registry.counts()).toEqual({ streams: 0, users: 0, sessions: 0 });
  });

  test("says the same as a plain list, whoever comes and goes", () => {
    const name = fc.constantFrom("a", "b", undefined);
    const identity = fc.record({ user: name, session: name, tags: fc.subarray(["a", "b"]) });
    const step = fc.oneof(fc.record({ comes: identity }), fc.record({ goes: fc.nat(20) }));
    const fields = { user: name, session: name, tag: name };
    const selector = fc.record({ ...fields, except: fc.record({ session: name }), all: fc.constant(true as const) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), selector, (steps, given) => {
        const registry = createRegistry();
        let plain: AdmittedStream[] = [];
        for (const [index, step] of steps.entries()) {
          if ("comes" in step) {
            const one = admitted(String(index), step.comes);
            registry.add(one);
            plain.push(one);
          } else {
            const one = plain[step.goes];
            if (one) registry.remove(one);
            plain = plain.filter((other) => other !== one);
          }
        }
        const meant = plain.filter(({ who, stream }) => matches(given, who, stream.id));
        expect(registry.find(given)).toEqual(meant);
        const different = (of: (admitted: AdmittedStream) => string | undefined) =>
          new Set(plain.map(of).filter((value) => value !== undefined)).size;
        expect(registry.counts()).toEqual({
          streams: plain.length,
          users: different(({ who }) => who.user),
          sessions: different(({ who }) => who.session),
        });
      }),
    );
  });
});
