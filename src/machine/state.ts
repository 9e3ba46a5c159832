import type { Disconnect, Reason } from "../disconnect/disconnect.js";
import type { ResolvedPolicies } from "../policy/policy.js";
import { type Bucket, fullBucket, type RateLimit } from "../policy/rate-limit.js";
import type { Pause } from "../ports/pause.js";
import type { StreamLabel } from "./stream-label.js";

// What a session knows, as plain data. step.ts has an arrow for each input; wake-at.ts tells when to look again.
//
//               lost                    woken               confirmed, presumed open
//   healthy ───────────▶ waiting ─────────────────▶ probing ───────────────────────▶ recovering
//      ▲                  ▲  ▲ ▲                      │                               │     │
//      │      refreshed   │  │ └──── lost, left ──────┘                               │     │
//      │   refreshing ────┘  └────────────────── lost before healthy ─────────────────┘     │
//      └──────────────────────────────────────── woken ─────────────────────────────────────┘
//
//   waiting ── woken, credentials are due ──▶ refreshing ── refresh failed ──▶ waiting
//   any but ended, closed ── paused ──▶ paused ── resumed ──▶ waiting, or refreshing
//   any ── a policy says "end", the refresh is refused ──▶ ended ── restarted ──▶ healthy
//   any ── closed ──▶ closed
//
// probing: one stream stands for all. recovering: it was not turned away, and the others follow. A policy that says
// "stop" leads there as well: nothing waits any more, and streams lost together with the stopped one are told once.
// paused: nothing failed, so nothing is counted. What was waited for before is waited for after it.

/**
 * From the first stream lost until the session is healthy again. The machine's times are of the clock that is never set;
 * what an app sees of them is in epoch ms.
 */
export interface Outage {
  /** When the path went down last. */
  readonly downAt: number;
  /** Before this the server does not want to see us. */
  readonly floorAt: number;
  /** False once a stream was opened after it. */
  readonly down: boolean;
  readonly disconnect: Disconnect;
  /** Attempts made so far: one stream's, whatever the number of streams. */
  readonly attempts: number;
  /** Of these, the ones before `downAt`: after each relapse the count of `reconnected` starts anew. */
  readonly attemptsBefore: number;
  /** Unhealthy endings of it, whatever their reasons. */
  readonly endings: number;
  /** Those of one reason in a row: another reason, a pause or a let-in begins anew. `inDoubt`: so many of the last ones were. */
  readonly row: { readonly reason: string; readonly number: number; readonly inDoubt: number } | undefined;
  /** The delay before the last attempt, in ms. */
  readonly previousMs: number;
  /** A stream's attempts were used up: who calls anew after that begins anew. */
  readonly gaveUp: boolean;
  /** The reasons already told to the app. */
  readonly told: readonly string[];
}

/** The attempt that stands for all. */
export interface Prober {
  readonly stream: number;
  /** Without an answer until then, the others may try too. `undefined`: a time-out for headers decides instead. */
  readonly presumedAt: number | undefined;
  /** It has headers. `confirmedAt`: a refusal may follow them, but not for that long. */
  readonly opened: { readonly at: number; readonly first: boolean; readonly confirmedAt: number } | undefined;
}

/** Where the machine stands. */
export type Phase =
  /** No outage. */
  | { readonly status: "healthy" }
  | Refreshing
  | Waiting
  | { readonly status: "probing"; readonly outage: Outage }
  /** `refresh`: credentials are to be got first, after it. */
  | { readonly status: "paused"; readonly outage: Outage; readonly why: Pause; readonly refresh: boolean }
  /** `passed`: an attempt was not turned away. False: a policy stopped the streams. */
  | { readonly status: "recovering"; readonly outage: Outage; readonly healthyAt: number; readonly passed: boolean }
  | { readonly status: "ended"; readonly disconnect: Disconnect; readonly why: string }
  | { readonly status: "closed" };

/** New credentials are asked for, since `askedAt`. `afterMs`: how long the next attempt waits after them. */
export interface Refreshing {
  readonly status: "refreshing";
  readonly outage: Outage;
  readonly askedAt: number;
  readonly afterMs: number;
  readonly why: string;
  /** The bucket for that attempt: where credentials were waited for, their wait has taken the token. */
  readonly refund: Bucket;
}

/** The next attempt goes out at `until`. `refresh`: after new credentials, which are asked for then. */
export interface Waiting {
  readonly status: "waiting";
  readonly outage: Outage;
  readonly until: number;
  readonly refresh: boolean;
  /** The bucket as it was before this wait took its token, for a wait that ends early. */
  readonly refund: Bucket;
}

/**
 * Where a session stands, for who looks at it. `idle`: no stream. `connecting`: the first attempt, before any loss.
 * `healthy`: nothing is wrong, or nobody waits for what is. Times are epoch ms, by the wall clock of when it came there.
 */
export type SessionState = Phase | { readonly status: "idle" } | { readonly status: "connecting" };

/** What the machine knows of one stream. */
export interface StreamFacts {
  readonly label: StreamLabel;
  /** A stream that is not reopened neither waits for the others nor probes for them. */
  readonly reopenable: boolean;
  /** Whether it asks the server for what it missed. */
  readonly resumes: boolean;
  /** It was lost before, in contrast to a new one. */
  readonly returning: boolean;
  /** It is to be opened, or opened again. */
  readonly away: boolean;
  /** Once past: it was healthy. Not yet: it will be, if it is not lost before. */
  readonly healthyAt: number | undefined;
}

export interface State {
  readonly phase: Phase;
  /** As they came. */
  readonly streams: readonly StreamFacts[];
  /** Who waits, in order; the first probes for all. */
  readonly queue: readonly number[];
  /** Who stands for all, while that is undecided. */
  readonly prober: Prober | undefined;
  /** The tabs' turn to probe was asked for; it is not waited for longer than this. */
  readonly turnUntil: number | undefined;
  readonly bucket: Bucket;
  /** Since when the credentials are those of now. `undefined`: streams wait for others. */
  readonly credentialsAt: number | undefined;
  /** Refreshes that failed, since the last that did not. */
  readonly refreshFailures: number;
  /** From when on a stream counts as let in, since the last loss: what fails after it is no more of the row before. */
  readonly letInAt: number | undefined;
  /** Whether any stream was ever open, in this login. */
  readonly connected: boolean;
  /** Over how many ms the server wants its clients to spread their return after a loss without a goodbye. */
  readonly windowMs: number | undefined;
}

/** What the machine is told and never changes. */
export interface Rules {
  readonly policies: ResolvedPolicies;
  readonly rateLimit: RateLimit | undefined;
  readonly healthyAfterMs: number;
  readonly canRefresh: boolean;
  /** What the app says that an abort means. */
  readonly abortedMeans: Reason | undefined;
  /** A time-out for headers tells when an attempt has failed, so that none is presumed open. */
  readonly timesHeaders: boolean;
  /** Tabs probe in turn. */
  readonly takesTurns: boolean;
}

/** Time and chance of one input. */
export interface Moment {
  /** For durations: ms, by the clock that is never set. */
  readonly now: number;
  /** For dates that a server gave: epoch ms. */
  readonly wall: number;
  /** In [0, 1). */
  readonly random: number;
}

export const healthy: Phase = { status: "healthy" };

/** A session in which nothing has happened yet. */
export function begin(rules: Rules, now: number): State {
  return {
    phase: healthy,
    streams: [],
    queue: [],
    prober: undefined,
    turnUntil: undefined,
    bucket: fullBucket(rules.rateLimit ?? { burst: 1, perMs: 1 }, now),
    credentialsAt: now,
    refreshFailures: 0,
    letInAt: undefined,
    connected: false,
    windowMs: undefined,
  };
}
