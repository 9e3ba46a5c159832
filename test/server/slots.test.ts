import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Ledger, reserve } from "../../src/server/admission/ledger.js";
import { spread } from "../../src/server/drain/slots.js";

const rate = fc.double({ min: 0.01, max: 10_000, noNaN: true });

describe("tickets", () => {
  test("come one after the other, from the earliest moment on", () => {
    const tickets: number[] = [];
    let ledger: Ledger = { freeAt: 0 };
    for (let i = 0; i < 4; i++) {
      const slot = reserve(ledger, 1_000, 10);
      ledger = slot.ledger;
      tickets.push(slot.at);
    }
    expect(tickets).toEqual([1_000, 1_100, 1_200, 1_300]);
  });

  test("after a pause start afresh: what was not used is not owed", () => {
    const { ledger } = reserve({ freeAt: 0 }, 1_000, 10);
    expect(reserve(ledger, 9_000, 10).at).toBe(9_000);
  });

  test("are never given twice, never before the earliest moment, and no more than the rate in any span", () => {
    const steps = fc.array(fc.nat(500), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(rate, steps, (perSecond, gaps) => {
        let ledger: Ledger = { freeAt: 0 };
        let now = 0;
        const given: number[] = [];
        for (const gap of gaps) {
          now += gap;
          const slot = reserve(ledger, now, perSecond);
          expect(slot.at).toBeGreaterThanOrEqual(now);
          ledger = slot.ledger;
          given.push(slot.at);
        }
        for (let i = 1; i < given.length; i++) {
          const apart = (given[i] as number) - (given[i - 1] as number);
          expect(apart).toBeGreaterThanOrEqual((1_000 / perSecond) * (1 - 1e-9));
        }
      }),
    );
  });

  test("leave the ledger that they were taken from as it was", () => {
    const ledger = Object.freeze({ freeAt: 5 });
    expect(reserve(ledger, 0, 1)).toEqual(reserve(ledger, 0, 1));
  });
});

describe("a departure that is spread", () => {
  test("begins at once, and the last one goes a step before the end", () => {
    expect(spread(4, 1_000, 2_000)).toEqual([1_000, 1_500, 2_000, 2_500]);
    expect(spread(3, 1_000, 0)).toEqual([1_000, 1_000, 1_000]);
    expect(spread(0, 1_000, 2_000)).toEqual([]);
  });

  test("is even: no window of any width sees more than its share, and one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(100_000), fc.nat(100_000), (count, start, overMs) => {
        const times = spread(count, start, overMs);
        expect(times).toHaveLength(count);
        expect(times[0]).toBe(start);
        for (const [index, time] of times.entries()) {
          expect(time - start).toBeCloseTo((index * overMs) / count, 5);
          expect(time).toBeLessThanOrEqual(start + overMs);
        }
      }),
    );
  });
});
