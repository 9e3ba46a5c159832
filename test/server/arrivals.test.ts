import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createArrivals } from "../../src/server/arrivals.js";
import { whoIs } from "../../src/server/identity.js";
import type { Verdict } from "../../src/server/store.js";

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
    const arrivals = createArrivals();
    const early = arrivals.enter();
    arrivals.note(verdict("ann"));
    const late = arrivals.enter();
    expect(early.missed(who("ann"), "x-1")?.id).toBe("ann");
    expect(late.missed(who("ann"), "x-2")).toBeUndefined();
  });

  test("only a verdict that means somebody is missed", () => {
    const arrivals = createArrivals();
    const arrival = arrivals.enter();
    arrivals.note(verdict("bob"));
    expect(arrival.missed(who("ann"), "x-1")).toBeUndefined();
    arrivals.note({ ...verdict("any"), selector: { stream: "x-1" } });
    expect(arrival.missed(who("ann"), "x-1")?.id).toBe("any");
    expect(arrival.missed(who("ann"), "x-2")).toBeUndefined();
  });

  test("of several the first is told", () => {
    const arrivals = createArrivals();
    const arrival = arrivals.enter();
    arrivals.note(verdict("ann", "first"));
    arrivals.note(verdict("ann", "second"));
    expect(arrival.missed(who("ann"), "x")?.id).toBe("first");
  });

  test("leaving twice changes nothing for others", () => {
    const arrivals = createArrivals();
    const [one, two] = [arrivals.enter(), arrivals.enter()];
    arrivals.note(verdict("ann"));
    one.leave();
    one.leave();
    expect(two.missed(who("ann"), "x")?.id).toBe("ann");
  });

  test("a verdict is forgotten when all have come in who may have missed it, though others are always on the way", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const arrivals = createArrivals();
    let last = arrivals.enter();
    const kept = Array.from({ length: 100 }, (_, index) => {
      const one = verdict(`user ${index}`);
      arrivals.note(one);
      const next = arrivals.enter();
      last.leave();
      last = next;
      return new WeakRef(one);
    });
    await new Promise(setImmediate); // a WeakRef holds its target until the turn is over
    collectGarbage();
    expect(kept.filter((one) => one.deref() !== undefined)).toHaveLength(0);
    arrivals.note(verdict("ann"));
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
        const arrivals = createArrivals();
        let waiting: { arrival: ReturnType<typeof arrivals.enter>; noted: string[] }[] = [];
        for (const [index, event] of events.entries()) {
          if (event === "enter") waiting.push({ arrival: arrivals.enter(), noted: [] });
          else if ("note" in event) {
            arrivals.note(verdict(event.note, `${event.note}${index}`));
            for (const { noted } of waiting) noted.push(`${event.note}${index}`);
          } else {
            const gone = waiting[event.leave];
            gone?.arrival.leave();
            waiting = waiting.filter((one) => one !== gone);
          }
          for (const { arrival, noted } of waiting) {
            for (const user of ["a", "b"]) {
              const expected = noted.find((id) => id.startsWith(user));
              expect(arrival.missed(who(user), "x")?.id).toBe(expected);
            }
          }
        }
      }),
    );
  });
});
