export type { Backoff, Jitter } from "./backoff.js";
export { type ClassifyOptions, classify, type Evidence } from "./classify.js";
export { createClient, type FarewellClient } from "./client.js";
export { type Clock, systemClock } from "./clock.js";
export {
  type AppReason,
  type BuiltInReason,
  builtInReasons,
  type Disconnect,
  type DisconnectInit,
  type DisconnectReasons,
  type LocalizedText,
  type Reason,
  type Source,
} from "./disconnect.js";
export { disconnectOf } from "./disconnect-of.js";
export type { Environment, Pause } from "./environment.js";
export type { Gap, Outcome, SessionEvents, StreamLabel } from "./events.js";
export type { ConnectionState } from "./inferred.js";
export type { Memory } from "./memory.js";
export { type BidiStreamOptions, type MethodEntry, method, type ServerStreamOptions } from "./method.js";
export type { SessionOptions } from "./options.js";
export {
  type Attempt,
  type Decision,
  defaultPolicies,
  type Policies,
  type Policy,
  type PolicyData,
  type PolicyFunction,
  parsePolicies,
  type ReconnectPolicy,
} from "./policy.js";
export type { RateLimit } from "./rate-limit.js";
export { createSession, type Session } from "./session.js";
export type { ReasonMapping, ReasonMappings } from "./spoken.js";
export type { Outage, Phase } from "./state.js";
