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
export { type AdminCall, AdminService, type Authorize, adminService } from "./admin-service.js";
export { type Bouncer, createBouncer, type ReleaseHook, type Stats } from "./bouncer.js";
export { DrainingError, type DrainOptions, type DrainProgress } from "./drain.js";
export { type DrainOnOptions, drainOn, type Signal } from "./drain-on.js";
export { verdictOf } from "./goodbye.js";
export { type Call, type Identify, type Identity, identityOf } from "./identity.js";
export {
  type Counts,
  channels,
  type DrainMessage,
  type Logger,
  type OutcomeMessage,
  type RefusalMessage,
  type Refused,
  type VerdictMessage,
} from "./journal.js";
export { memoryStore } from "./memory-store.js";
export type { BouncerOptions } from "./options.js";
export type { Report } from "./put-out.js";
export type { Selector } from "./selector.js";
export { SessionService, sessionService } from "./session-service.js";
export type { Awaitable, Claim, Entry, Epoch, Hold, Ruling, Store, Verdict, Words } from "./store.js";
export { toConnectError } from "./to-connect-error.js";
export { LimitError, type VerdictOptions } from "./verdicts.js";
export { type Ending, type Stream, streamOf } from "./visit.js";
