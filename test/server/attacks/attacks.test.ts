import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { all, someOf } from "../../runs.js";
import { patience } from "../../wire/leave-nothing.js";
import type { Attack } from "./attack.js";
import { callAttacks } from "./calls.js";
import { enterCrowd } from "./crowd.js";
import { http1Attacks } from "./http1.js";
import { http2Attacks } from "./http2.js";
import type { GateName } from "./orders.js";
import { besiege, type Siege } from "./siege.js";

// A server in a process of its own, with guests that do no harm, and what is done to it on raw sockets. The guests never
// come back: a stream or a connection of theirs that is lost, or a call that is not answered, fails the test. How much each
// attack costs, `npm run bench -- --only attacks` tells.

/** Thousands of each, which takes many minutes. */
const inFull = process.env.FAREWELL_ATTACKS === "full";
const others = ["connect-node h2 tls", "connect-node h1 tls", "fastify h2", "fastify h1", "express h1"] as const;
const calls = Object.entries<Attack>(callAttacks);

function attacksOn(gate: GateName): readonly (readonly [string, Attack])[] {
  return [...Object.entries<Attack>(gate.includes("h2") ? http2Attacks : http1Attacks), ...calls];
}

/** Each attack on one plain server, and on the others, unless all runs are made, a part: a different one on each. */
const sieges: readonly (readonly [GateName, readonly (readonly [string, Attack])[]])[] = [
  ["connect-node h2", attacksOn("connect-node h2")],
  ["connect-node h1", [...Object.entries<Attack>(http1Attacks), ...someOf(calls)]],
  ...others.map((gate, index) => [gate, someOf(attacksOn(gate), index)] as const),
];

describe.each(sieges)("through %s, nobody else is hurt by", (gate, attacks) => {
  let siege: Siege;
  beforeAll(async () => {
    siege = await besiege({ gate });
  });
  afterAll(() => siege.close());

  test.each(attacks)(
    "%s",
    async (_, { run, quick, full }) => {
      const crowd = await enterCrowd(siege);
      const connections = await siege.ask("connections");
      const attacking = run(siege, inFull ? full : quick);
      await crowd.isWell();
      const raws = await attacking;
      await crowd.isWell();
      for (const raw of raws) raw.close();
      await crowd.hearsKicks();
      await vi.waitFor(async () => expect((await siege.ask("stats")).inside.streams).toBe(1), patience);
      crowd.close();
      await vi.waitFor(async () => {
        expect((await siege.ask("stats")).inside).toEqual({ streams: 0, users: 0, sessions: 0 });
        expect(await siege.ask("connections")).toBeLessThanOrEqual(connections); // what is left are the guests' own
      }, patience);
      expect(await siege.ask("trouble")).toEqual([]);
      expect(siege.alive).toBe(true);
    },
    600_000,
  );

  test("an event loop that stands still for two seconds", async () => {
    const crowd = await enterCrowd(siege);
    await siege.ask("stall", all || gate === "connect-node h2" ? 2_000 : 200);
    await crowd.isWell();
    const stalled = siege.ask("stall", all ? 2_000 : 200);
    await crowd.hearsKicks();
    await stalled;
    crowd.close();
    await vi.waitFor(async () => expect((await siege.ask("stats")).inside.streams).toBe(0), patience);
    expect(await siege.ask("trouble")).toEqual([]);
  });
});

test.each([3_600_000, -3_600_000])("a clock that is %i ms ahead hurts nobody", async (clockAheadMs) => {
  const siege = await besiege({ gate: "connect-node h2", clockAheadMs });
  const crowd = await enterCrowd(siege);
  await crowd.hearsKicks();
  crowd.close();
  expect(await siege.ask("trouble")).toEqual([]);
  await siege.close();
});
