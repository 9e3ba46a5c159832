import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createAcceptor } from "../../src/server/admission/accept.js";
import { networkOf } from "../../src/server/admission/addresses.js";

const start = Date.UTC(2030, 0, 1);

describe("an acceptor", () => {
  test("lets in a second's worth at once, and no more than that in each second after", () => {
    const accept = createAcceptor(10, 60_000, start);
    const inside = (from: number, to: number) => {
      let count = 0;
      for (let ms = from; ms < to; ms++) if (!accept.take(start + ms, 0.5)) count++;
      return count;
    };
    expect(inside(0, 1)).toBe(1);
    expect(inside(1, 1_000)).toBe(18); // nine of the burst, and one each 100 ms
    for (let second = 1; second < 5; second++) expect(inside(second * 1_000, (second + 1) * 1_000)).toBe(10);
  });

  test("gives out tickets that are all different, in their order, and lets each in by its own", () => {
    const accept = createAcceptor(10, 60_000, start);
    const tickets = Array.from({ length: 60 }, () => accept.take(start, 0.5)).filter((ticket) => ticket !== undefined);
    expect(tickets).toHaveLength(50);
    expect(tickets.every(({ reserved }) => reserved)).toBe(true);
    const times = tickets.map(({ at }) => at);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    for (const at of times) expect(accept.take(at, 0.5)).toBeUndefined();
  });

  test("promises nothing beyond its horizon: who knocks without end does not use up the time of the others", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 2_000 }),
        (draws) => {
          const accept = createAcceptor(10, 60_000, start);
          for (const random of draws) {
            const ticket = accept.take(start, random);
            if (ticket) expect(ticket.at).toBeLessThanOrEqual(start + 60_000);
          }
          expect(accept.take(start, 0.25)).toEqual({ at: start + 15_000, reserved: false });
          expect(accept.take(start + 61_000, 0.5)).toBeUndefined(); // and it is over when they stop
        },
      ),
      { numRuns: 5 },
    );
  });
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0DB8:0001:0002::9", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["unix", "unix"],
])("the address %s is counted by %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
