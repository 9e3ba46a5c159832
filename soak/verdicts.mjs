/** What is done to a user, and what has to come of it. `must`: it was carried out, and the path was good. */
export function createVerdicts(house, users, log) {
  const out = new Map(); // user to what is expected
  const { clients } = house;

  /** A kick reaches who is inside. In bad weather its goodbye may be lost, and then a client may come back, or not. */
  async function kick(order, reasons, { user }, args) {
    const from = performance.now();
    const expected = { reasons, must: false, order };
    out.set(user, expected);
    const { life } = house;
    const { told, forced, matched } = await house.ask(order, { user, ...args });
    const reached = told + forced > 0 && house.life === life;
    expected.settle = () => {
      expected.must = reached && !house.harmed(from - 3_000);
    };
    log.add(
      `${house.name}: ${order} ${user} ${JSON.stringify(args ?? {})}: ${matched} matched, ${told} told, ${forced} forced`,
    );
  }

  /** What is on record: it counts against whoever comes. */
  async function bar(order, reason, { user }, args) {
    const expected = { reasons: [reason], must: false, order };
    out.set(user, expected);
    const { told, forced, left } = await house.ask(order, { user, ...args });
    expected.must = true;
    log.add(
      `${house.name}: ${order} ${user} ${JSON.stringify(args ?? {})}: ${told} told, ${forced} forced, ${left} left`,
    );
  }

  const carryOut = {
    kick: (event) => kick("kick", ["kicked"], event),
    kickByAbort: (event) => kick("kick", ["kicked"], event, { mode: "abort" }),
    kickAndHold: (event) => kick("kick", ["kicked"], event, { holdMs: 10_000 }),
    supersede: (event) => kick("supersede", ["superseded"], event),
    ban: (event) => bar("ban", "banned", event),
    banForAWhile: (event) => bar("ban", "banned", event, { forMs: 120_000 }),
    revoke: (event) => bar("revoke", "unauthenticated", event),
    async usurp({ user }) {
      out.set(user, { usurped: true, reasons: ["superseded"], order: "usurp" });
      await clients.ask("usurp", { user });
    },
    expire: ({ user }) => house.ask("expire", { user }),
    askForLess: ({ user }) => house.ask("throttle", { user, forMs: 2_000 }),
    reopen: ({ user, which }) => clients.ask("reopen", { user, which }),
    retry: ({ user }) => clients.ask("retry", { user }),
    announce: () => house.ask("announce", { forMs: 1_000 }),
    drain: () => house.ask("drain", { overMs: 2_000, backMs: 1_000 }),
  };

  return {
    carryOut,
    expectedOf: (user) => out.get(user),
    settle: () => {
      for (const expected of out.values()) expected.settle?.();
    },
    /** A server that was born anew is told whom it keeps out for good. */
    async remind() {
      for (const [user, { order, must }] of out) if (order === "ban" && must) await house.ask("bar", { user });
    },
    /** Who is banned tries once more, by a decision of its user's: it is told so again. */
    async knock() {
      const banned = [...out].filter(([, { order, must }]) => order === "ban" && must).map(([user]) => user);
      await Promise.all(
        banned.map(async (user) => {
          const end = await clients.ask("knock", { user });
          if (end !== "banned") log.violation(`${house.name}: ${user} is banned, and its stream ended with ${end}`);
        }),
      );
    },
    /** All come back. */
    async forgive(sameSession) {
      const all = [...out.entries()];
      out.clear();
      for (const [user, { order, usurped }] of all) {
        if (usurped) await clients.ask("tidy", { user });
        else {
          if (order !== "revoke") await house.ask("lift", { user });
          await house.ask("welcome", { user });
          await clients.ask("welcome", { user, sameSession: sameSession(user) });
        }
      }
    },
    users,
  };
}
