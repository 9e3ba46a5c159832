import { ways } from "./transport.mjs";

/** Everything that is fixed for a user's logins: one of each kind is there in every soak. */
export function kindOf(index) {
  return {
    way: ways[index % ways.length],
    /** Has a control stream. */
    controlled: index % 2 === 0,
    /** Of three: a token without an end, one that is renewed ahead of it, one that simply ends. */
    lifeMs: index % 3 === 0 ? undefined : 20_000,
    ahead: index % 3 === 1,
    /** Connect's own client, which knows nothing of us. */
    dropIn: index % 4 === 3,
    /** Unary calls are retried. */
    retries: index % 4 < 2,
  };
}

export const rateLimit = { burst: 10, perMs: 10_000 };

/** Without an end: a token of a few seconds may run out again while an answer is on its way. Who is revoked has no new one. */
export const policies = Object.fromEntries(
  ["network", "aborted", "maintenance", "unauthenticated", "throttled"].map((reason) => [
    reason,
    { initialMs: 200, maxMs: 3_000, maxAttempts: null },
  ]),
);
