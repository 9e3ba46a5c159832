import { setTimeout as sleep } from "node:timers/promises";
import { faultsOf } from "./faults.mjs";

/** No verdict depends on speed: it is waited for so long, which no machine should need. */
const patienceMs = 240_000;
const tellEveryMs = 20_000;

/**
 * Once nothing goes on: everything is as it ought to be, on both sides, sooner or later. Tokens end in a calm, too, so not all
 * users are looked at in the same moment: each has one in which all that is its own is right. Answers with what never was.
 */
export async function calmDown(house, expectedOf, thorough, log) {
  const beganAt = performance.now();
  const right = new Set();
  for (let tellAt = beganAt + tellEveryMs; ; await sleep(500)) {
    const [server, clients] = await Promise.all([house.ask("survey"), house.clients.ask("survey")]);
    const faults = faultsOf(server, clients, expectedOf, thorough);
    for (const [who, fault] of faults) if (!fault) right.add(who);
    const left = [...faults].filter(([who]) => !right.has(who)).map(([who, fault]) => `${who}: ${fault}`);
    const now = performance.now();
    if (left.length === 0 || now > beganAt + patienceMs) return left;
    if (now < tellAt) continue;
    tellAt = now + tellEveryMs;
    log.add(
      `${house.name}: ${left.length} are not quiet yet (${server.connections} connections, ${server.below} streams of HTTP/2), such as ${left[0]}`,
    );
  }
}
