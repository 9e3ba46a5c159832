export { createClient, type FarewellClient, type StreamCallOptions } from "./client.js";
export { type ClassifyOptions, classify, type Evidence, type HttpStatusMeans } from "./disconnect/classify.js";
export type {
  AppReason,
  Disconnect,
  DisconnectInit,
  DisconnectReasons,
  LocalizedText,
  Reason,
  Source,
} from "./disconnect/disconnect.js";
export { disconnectOf } from "./disconnect/error-of.js";
export { type BuiltInReason, builtInReasons } from "./disconnect/reasons.js";
export type { ReasonMapping, ReasonMappings } from "./disconnect/spoken.js";
export type { Gap, Outcome, SessionEvents } from "./machine/events.js";
export type { Outage, SessionState } from "./machine/state.js";
export type { StreamLabel } from "./machine/stream-label.js";
export type { Backoff, Jitter } from "./policy/backoff.js";
export { parsePolicies } from "./policy/parse-policies.js";
export {
  type Attempt,
  type Decision,
  defaultPolicies,
  type MaxAttempts,
  type Policies,
  type Policy,
  type PolicyData,
  type PolicyFunction,
  type ReconnectPolicy,
} from "./policy/policy.js";
export type { RateLimit } from "./policy/rate-limit.js";
export { type Clock, systemClock } from "./ports/clock.js";
export type { ConnectionState } from "./ports/connection-state.js";
export type { Pause } from "./ports/pause.js";
export type { Extension } from "./session/extension.js";
export type { MethodEntry, SessionOptions } from "./session/options.js";
export { reauthenticated } from "./session/reauthenticated.js";
export type { Refresh, RefreshContext } from "./session/refresh.js";
export { type RetryOptions, retried, retriedIdempotent } from "./session/retried.js";
export { createSession } from "./session/session.js";
export { signsIn } from "./session/signs-in.js";
export type { Session } from "./session/types.js";
export { type StreamHooks, streamOf } from "./stream/hooks.js";
export { type BidiStreamOptions, method, type ServerStreamOptions } from "./stream/method.js";
