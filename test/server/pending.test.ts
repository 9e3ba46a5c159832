import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPendingCalls } from "../../src/server/inside/pending.js";
import { whoIs } from "../../src/server/who/identity.js";
import type { Verdict } from "../../src/server/words/words.js";

const who = (user: string) => whoIs({ user }, { header: new Headers() });
const verdict = (user: string, id = user): Verdict => ({
  id,
  at: new Date(0),
  selector: { user },
  words: { reason: "kicked", code: undefined },
  by: undefined,
  note: undefined,
});

describe("on the way in", () => {
  test("a verdict is missed by who was on the way, and by nobody who came later", () => {
    const pending = createPendingCalls();
    const early = pending.enter();
    pending.note(verdict("ann"));
    const late = pending.enter();
    expect(early.missed(who("ann"), "x-1")?.id).toBe("ann");
    expect(late.missed(who("ann"), "x-2")).toBeUndefined();
  });

  test("only a verdict that means somebody is missed", () => {
    const pending = createPendingCalls();
    const call = pending.enter();
    pending.note(verdict("bob"));
    expect(call.missed(who("ann"), "x-1")).toBeUndefined();
    pending.note({ ...verdict("any"), selector: { stream: "x-1" } });
    expect(call.missed(who("ann"), "x-1")?.id).toBe("any");
    expect(call.missed(who("ann"), "x-2")).toBeUndefined();
  });

  test("of several the first is told", () => {
    const pending = createPendingCalls();
    const call = pending.enter();
    pending.note(verdict("ann", "first"));
    pending.note(verdict("ann", "second"));
    expect(call.missed(who("ann"), "x")?.id).toBe("first");
  });

  test("leaving twice changes nothing for others", () => {
    const pending = createPendingCalls();
    const [one, two] = [pending.enter(), pending.enter()];
    pending.note(verdict("ann"));
    one.leave();
    one.leave();
    expect(two.missed(who("ann"), "x")?.id).toBe("ann");
  });

  test("a verdict is forgotten when all have come in who may have missed it, though others are always on the way", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const pending = createPendingCalls();
    let last = pending.enter();
    const kept = Array.from({ length: 100 }, (_, index) => {
      const one = verdict(`user ${index}`);
      pending.note(one);
      const next = pending.enter();
      last.leave();
      last = next;
      return new WeakRef(one);
    });
    await new Promise(setImmediate); // a WeakRef restrictions its target until the turn is over
    collectGarbage();
    expect(kept.filter((one) => one.deref() !== undefined)).toHaveLength(0);
    pending.note(verdict("ann"));
    expect(last.missed(who("ann"), "x")?.id).toBe("ann");
  });

  test("each misses exactly what was noted between its arrival and now, in any order of events", () => {
    const event = fc.oneof(
      fc.constant("enter" as const),
      fc.record({ note: fc.constantFrom("a", "b") }),
      fc.record({ leave: fc.nat(9) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const pending = createPendingCalls();
        let waiting: { call: ReturnType<typeof pending.enter>; noted: string[] }[] = [];
        for (const [index, event] of events.entries()) {
          if (event === "enter") waiting.push({ call: pending.enter(), noted: [] });
          else if ("note" in event) {
            pending.note(verdict(event.note, `${event.note}${index}`));
            for (const { noted } of waiting) noted.push(`${event.note}${index}`);
          } else {
            const gone = waiting[event.leave];
            gone?.call.leave();
            waiting = waiting.filter((one) => one !== gone);
          }
          for (const { call, noted } of waiting) {
            for (const user of ["a", "b"]) {
              const expected = noted.find((id) => id.startsWith(user));
              expect(call.missed(who(user), "x")?.id).toBe(expected);
            }
          }
        }
      }),
    );
  });
});
