import type { Disconnect } from "../../src/index.js";
import { builtInReasons } from "../../src/index.js";
import type { Effect } from "../../src/machine/effect.js";
import { begin, type Outage, type Rules, type State, type StreamFacts, type Waiting } from "../../src/machine/state.js";
import { resolvePolicies } from "../../src/policy/policy.js";

// States to begin with, for the tests of the machine.

/** By the clock that is never set, and by the wall clock. */
export const now = 5_000_000;
export const wall = Date.UTC(2030, 0, 1);

export const rules: Rules = {
  policies: resolvePolicies({ network: { jitter: "none", initialMs: 1_000 } }, builtInReasons),
  rateLimit: { burst: 5, perMs: 60_000 },
  healthyAfterMs: 10_000,
  canRefresh: true,
  abortedMeans: undefined,
  timesHeaders: false,
  takesTurns: false,
};

export const label = (id: number) => ({ id, name: "chat.v1.ChatService/Subscribe" });

export function disconnect(reason: Disconnect["reason"], more: object = {}): Disconnect {
  const common = { message: "", localized: undefined, said: false, source: "transport", cause: undefined };
  return { ...common, reason, ...more } as Disconnect;
}

export const network = disconnect("network");
export const banned = disconnect("banned", { said: true, source: "detail", message: "Bye" });

/** In its second attempt. */
export const outage: Outage = {
  downAt: now - 3_000,
  floorAt: now - wall,
  down: true,
  disconnect: network,
  attempts: 1,
  attemptsBefore: 0,
  endings: 1,
  row: { reason: "network", number: 1, inDoubt: 0 },
  previousMs: 1_000,
  gaveUp: false,
  told: ["network"],
};

export const waiting: Waiting = {
  status: "waiting",
  outage,
  until: now + 2_000,
  refresh: false,
  refund: { tokens: 5, at: now },
};

/** A stream that is away, and was open once; `facts` says what is different. */
export function stream(id: number, facts: Partial<StreamFacts> = {}): StreamFacts {
  return {
    label: label(id),
    reopenable: true,
    resumes: false,
    returning: true,
    away: true,
    healthyAt: undefined,
    ...facts,
  };
}

/** A session that was connected once; `more` says where it stands. */
export function stateOf(more: Partial<State>): State {
  return { ...begin(rules, now), connected: true, ...more };
}

/** What a test can compare at a glance: `let go 1`, `stop 1 2`. */
export function told(effects: readonly Effect[]): readonly string[] {
  return effects.map((effect) => {
    if ("streams" in effect) return `${effect.type} ${effect.streams.join(" ")}`;
    return "stream" in effect ? `${effect.type} ${effect.stream}` : effect.type;
  });
}
