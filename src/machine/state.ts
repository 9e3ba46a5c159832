import type { Disconnect } from "../disconnect/disconnect.js";
import type { ResolvedPolicies } from "../policy/policy.js";
import type { Bucket, RateLimit } from "../policy/rate-limit.js";
import type { Pause } from "../ports/environment.js";
import type { SessionEvent, StreamLabel } from "./events.js";

// The life of a session, as values. transition.ts has a function for each arrow.
//
//                 lost                     due               opened, unrefused
//      live ───────────────▶ waiting ───────────────▶ knocking ─────────────▶ following
//       ▲                    ▲  ▲  ▲                     │                     │    │
//       │        refreshed   │  │  └── lost, withdrawn ──┘                     │    │
//       │    refreshing ─────┘  └──────── lost before healthy ─────────────────┘    │
//       │                                                                           │
//       └────────────────────────── healthy, seen at the next loss ─────────────────┘
//
//      any but ended, closed ── the device or the page cannot go on ──▶ paused ── it can ──▶ waiting, or refreshing
//      any ── a policy says "end", the refresh is refused ──▶ ended ── restart ──▶ live       any ── close ──▶ closed
//
// "paused": nothing failed, so nothing is counted. What was waited for before is waited for after it.
// "following": one stream, the knocker, was not turned away, and all others that were lost follow it. A policy that
// says "stop" leads there as well: nothing waits any more, and streams lost with the stopped one are told once.

/** From the first stream lost until the session is healthy again. */
export interface Outage {
  /** When the path went down last; epoch ms. */
  readonly downAt: number;
  /** False once a stream was opened after it. */
  readonly down: boolean;
  readonly disconnect: Disconnect;
  /** Attempts made so far: one stream's, whatever the number of streams. */
  readonly attempts: number;
  /** Of these, the ones before `downAt`: after each relapse the count of `reconnected` starts anew. */
  readonly attemptsBefore: number;
  /** Unhealthy endings in a row, by reason. */
  readonly counts: { readonly [reason: string]: number };
  /** The delay before the last attempt. */
  readonly previousMs: number;
  /** A stream's attempts were used up: who calls anew after that begins anew. */
  readonly gaveUp: boolean;
  /** The reasons already told to the app. */
  readonly told: readonly string[];
}

/** Where a session stands. */
export type Phase =
  | { readonly status: "live" }
  | { readonly status: "refreshing"; readonly outage: Outage; readonly afterMs: number; readonly why: string }
  /** `refund`: the bucket as it was before this wait took its token, for a wait that ends early. */
  | { readonly status: "waiting"; readonly outage: Outage; readonly until: number; readonly refund: Bucket }
  | { readonly status: "knocking"; readonly outage: Outage }
  /** `refresh`: credentials are to be got first. */
  | { readonly status: "paused"; readonly outage: Outage; readonly why: Pause; readonly refresh: boolean }
  /** `passed`: an attempt was not turned away. False: a policy stopped the streams. */
  | { readonly status: "following"; readonly outage: Outage; readonly openedAt: number; readonly passed: boolean }
  | { readonly status: "ended"; readonly disconnect: Disconnect; readonly why: string }
  | { readonly status: "closed" };

export interface State {
  readonly phase: Phase;
  readonly bucket: Bucket;
  /** Whether any stream was ever open. */
  readonly connected: boolean;
  /** Over how many ms the server wants its clients to spread their return after a loss without a goodbye. */
  readonly windowMs: number | undefined;
}

/** What the state machine is told and never changes. */
export interface Rules {
  readonly policies: ResolvedPolicies;
  readonly rateLimit: RateLimit | undefined;
  readonly healthyAfterMs: number;
  readonly canRefresh: boolean;
}

/** Time and chance of one input. */
export interface Moment {
  readonly now: number;
  readonly random: number;
}

export interface Loss {
  readonly disconnect: Disconnect;
  readonly stream: StreamLabel;
  /** It was this stream's attempt that stood for all. */
  readonly knocker: boolean;
  /** It was not lost before. */
  readonly newcomer: boolean;
  /** No other stream waits. */
  readonly alone: boolean;
  /** False for a stream that cannot be reopened: its loss decides nothing for the others. */
  readonly reopenable: boolean;
}

export interface Step {
  readonly state: State;
  readonly events: readonly SessionEvent[];
}

/** `wait`: until the session lets it try. `stop`: throw. `stop-all`: so must all that wait. `end`: the session ended. */
export type Verdict =
  | { readonly action: "wait" }
  | { readonly action: "stop" | "stop-all" | "end"; readonly why: string };
