import { chanceOf } from "./random.mjs";

// What happens and when, from the seed alone. Times are ms since the beginning of a phase. After each phase comes a calm.

export const chaosMs = 40_000;

/** By their weights. What has `ms` lasts so long. */
const weather = { hole: 3, hangUp: 3, freeze: 2, cut: 4, slow: 2, throttle: 2, bar: 1, stopServer: 2, stopClient: 2 };
const endings = { kill: 3, term: 2 };
const verdicts = {
  kick: 4,
  kickByAbort: 3,
  kickAndHold: 2,
  ban: 3,
  banForAWhile: 2,
  supersede: 2,
  usurp: 4,
  revoke: 3,
  expire: 4,
  askForLess: 3,
};
const deeds = { reopen: 6, retry: 2, drain: 1, announce: 1 };

/** One phase of one house. `mortal`: its server may be killed, or be asked to end. */
export function phaseOf(seed, number, house, users, mortal) {
  const chance = chanceOf(seed, number, house.length);
  const events = [];
  for (let at = chance.between(2_000, 5_000); at < chaosMs; at += chance.between(2_000, 9_000)) {
    events.push({ at, ...stormOf(chance) });
  }
  if (mortal && chance.yes(0.6)) {
    events.push({
      at: chance.between(5_000, chaosMs - 8_000),
      what: chance.weighed(endings),
      ms: chance.whole(300, 4_000),
    });
  }
  const unhurt = [...users];
  for (let at = chance.between(1_000, 3_000); at < chaosMs; at += chance.between(500, 4_000)) {
    if (chance.yes(0.3))
      events.push({ at, what: chance.weighed(deeds), user: chance.of(users), which: chance.whole(0, 3) });
    else if (unhurt.length > 0) {
      const [user] = unhurt.splice(chance.whole(0, unhurt.length - 1), 1); // one verdict for each user and phase
      events.push({ at, what: chance.weighed(verdicts), user, sameSession: chance.yes(0.5) });
    }
  }
  return events.map((event) => ({ ...event, at: Math.round(event.at) })).sort((a, b) => a.at - b.at);
}

function stormOf(chance) {
  const what = chance.weighed(weather);
  const ms =
    { slow: chance.whole(2_000, 10_000), throttle: chance.whole(2_000, 8_000) }[what] ?? chance.whole(500, 7_000);
  switch (what) {
    case "hole":
      return { what, ms, how: chance.of(["fin", "rst"]) };
    case "cut":
      return { what, how: chance.of(["fin", "rst"]) };
    case "slow":
      return { what, ms, byMs: chance.whole(30, 600) };
    case "throttle":
      return { what, ms, to: chance.whole(5_000, 60_000) };
    default:
      return { what, ms };
  }
}
