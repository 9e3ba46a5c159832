/**
 * The built-in reasons, a row for each: its fields, the status code that goes with it on the wire as a `Code` number
 * (PROTOCOL.md gives the grounds), and what is done about it by default. `"end"`, or what differs from the defaults that
 * all share. All that lists reasons or their fields is derived from here. The rows, and the fields of each, are in the order
 * of their numbers in the proto file: by these they are read.
 */
export const vocabulary = {
  /** The server put this client out. `code` is the app's own sub-reason, e.g. `"afk"`. */
  kicked: {
    fields: ["code"],
    status: 7, // PermissionDenied: Connect never makes it up itself, and no client retries it unasked
    policy: "end",
  },
  /** The server put this client out and will refuse it until `until`, or for good where that is `undefined`. */
  banned: { fields: ["until", "code"], status: 7, policy: "end" },
  /** The same account signed in elsewhere; `by` labels the winner, if told. */
  superseded: { fields: ["by"], status: 7, policy: "end" },
  /** Credentials expired or were revoked. */
  unauthenticated: {
    fields: [],
    status: 16,
    // The very next answer after a refresh proves that the credentials are bad, and ends the session.
    policy: { maxMs: 10_000, maxAttempts: 1, whenExhausted: "end" },
  },
  /** The server is going away on purpose, or says when it is back. */
  maintenance: {
    fields: ["retryAt", "reserved"],
    status: 14, // Unavailable: also understood by clients that know nothing of us
    policy: { initialMs: 5_000, maxMs: 60_000 },
  },
  /** The server asks for fewer or later calls. */
  throttled: {
    fields: ["retryAt", "reserved"],
    status: 8, // ResourceExhausted
    policy: { initialMs: 10_000, maxMs: 120_000 },
  },
  /** The server, or a proxy in its name, ended the stream and gave no reason. */
  aborted: {
    fields: [],
    status: 13, // Internal: all that a client without our details may conclude
    policy: { initialMs: 2_000, maxMs: 60_000, maxAttempts: { neverHealthy: 10, onceHealthy: null, inDoubt: 30 } },
  },
  /** The path to the server failed. */
  network: { fields: [], status: 14, policy: {} },
} as const;

/** What the fields of all reasons hold. */
export type Fields = {
  /** The app's own sub-reason, e.g. `"afk"`. */
  readonly code: string | undefined;
  /** Until when the client will be refused. */
  readonly until: Date | undefined;
  /** Names the login that won. */
  readonly by: string | undefined;
  /** When to come back. */
  readonly retryAt: Date | undefined;
  /** `true`: the time was reserved for this client alone, so that no jitter is added to it. */
  readonly reserved: boolean | undefined;
};

/** A reason that `farewell` itself knows. */
export type BuiltInReason = keyof typeof vocabulary;

/** The fields of each built-in reason, by its row. */
export type BuiltInReasons = {
  readonly [R in BuiltInReason]: Pick<Fields, (typeof vocabulary)[R]["fields"][number]>;
};

/** The reasons that `farewell` itself knows, in the order of its documentation. */
export const builtInReasons: readonly BuiltInReason[] = Object.keys(vocabulary) as BuiltInReason[];

interface Row {
  readonly fields: readonly (keyof Fields)[];
  readonly status: number;
}

/** The row of a built-in reason. A server must not reach `constructor` and its kind. */
export function rowOf(reason: string): Row | undefined {
  return isBuiltIn(reason) ? vocabulary[reason] : undefined;
}

export function isBuiltIn(reason: string): reason is BuiltInReason {
  return Object.hasOwn(vocabulary, reason);
}
