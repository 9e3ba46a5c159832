// The server half. Each room imports only rooms below it:
//
//   index
//   services    what is mounted beside the app's own services, and what a signal of the operating system does
//   bouncer     puts the rooms together
//   options     what the rooms want to know, from what the app says
//   drain       the server goes away
//   admission   between a call's arrival and its handler
//   verdict     decides, records, tells, forces
//   audit       logs, diagnostics channels, counters
//   inside      the streams that are inside, and how to reach each
//   store       what is remembered
//   words       what is said to clients, on the wire
//   who         who calls, and whom a verdict means

export type { Outcome as AdminOutcome, Stream as AdminStream } from "../gen/farewell/v1/admin_pb.js";
export {
  type Disconnect as DisconnectDetail,
  DisconnectSchema,
} from "../gen/farewell/v1/disconnect_pb.js";
export {
  type ErrorInfo,
  ErrorInfoSchema,
  type LocalizedMessage,
  LocalizedMessageSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.js";
export type { RateLimit } from "../policy/rate-limit.js";
export type { ReleaseHook } from "./admission/release-hooks.js";
export {
  channels,
  type DrainMessage,
  type OutcomeMessage,
  type RefusalMessage,
  type Refused,
  type VerdictMessage,
} from "./audit/channels.js";
export type { Counts } from "./audit/counters.js";
export type { Logger } from "./audit/logger.js";
export { type Bouncer, createBouncer, type Stats } from "./bouncer.js";
export { DrainingError } from "./drain/drain.js";
export type { DrainOptions } from "./drain/options.js";
export { type Ending, type Stream, streamOf } from "./inside/admitted-stream.js";
export type { DrainProgress, Report } from "./inside/report.js";
export type { UnaryOutcome } from "./inside/unary-calls.js";
export type { BouncerOptions } from "./options.js";
export { AdminService, adminService } from "./services/admin.js";
export type { AdminCall, Authorize } from "./services/admin-audit.js";
export { type ControlStreamOptions, ControlStreamService, controlStreamService } from "./services/control-stream.js";
export { type DrainOnOptions, type DrainOnReport, drainOn, type Signal } from "./services/drain-on.js";
export { memoryStore } from "./store/memory-store.js";
export type { Awaitable, Entry, Epoch, LoginRequest, LoginResult, Restriction, Store } from "./store/store.js";
export { LimitError } from "./verdict/limit-error.js";
export type { HoldOptions, VerdictOptions } from "./verdict/options.js";
export type { NewCredentials } from "./who/credentials.js";
export { type Identify, type Identity, type IncomingCall, identityOf } from "./who/identity.js";
export type { Selector } from "./who/selector.js";
export { verdictOf } from "./words/goodbye.js";
export { toConnectError } from "./words/to-connect-error.js";
export type { Verdict, Words } from "./words/words.js";
