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
export {
  type Counts,
  channels,
  type DrainMessage,
  type Logger,
  type OutcomeMessage,
  type RefusalMessage,
  type Refused,
  type VerdictMessage,
} from "./audit/audit.js";
export { type Bouncer, createBouncer, type ReleaseHook, type Stats } from "./bouncer.js";
export { DrainingError, type DrainOptions, type DrainProgress } from "./drain/drain.js";
export { type Ending, type Stream, streamOf } from "./inside/admitted-stream.js";
export type { BouncerOptions } from "./options.js";
export { type AdminCall, AdminService, type Authorize, adminService } from "./services/admin.js";
export { ControlStreamService, controlStreamService } from "./services/control-stream.js";
export { type DrainOnOptions, drainOn, type Signal } from "./services/drain-on.js";
export { memoryStore } from "./store/memory-store.js";
export type {
  Awaitable,
  Entry,
  Epoch,
  LoginRequest,
  LoginResult,
  Restriction,
  Store,
  Verdict,
  Words,
} from "./store/store.js";
export type { Report } from "./verdict/evict.js";
export { LimitError, type VerdictOptions } from "./verdict/verdicts.js";
export { type Identify, type Identity, type IncomingCall, identityOf } from "./who/identity.js";
export type { Selector } from "./who/selector.js";
export { verdictOf } from "./words/goodbye.js";
export { toConnectError } from "./words/to-connect-error.js";
