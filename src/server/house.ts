import type { Clock } from "../ports/clock.js";
import type { Audit } from "./audit/audit.js";
import type { DrainProgress } from "./drain/drain.js";
import type { AdmittedStream } from "./inside/admitted-stream.js";
import type { PendingCalls } from "./inside/pending.js";
import type { Registry } from "./inside/registry.js";
import type { Settings } from "./options.js";
import type { Words } from "./store/store.js";
import type { ControlStreams } from "./verdict/control-streams.js";
import type { Report } from "./verdict/evict.js";

/** What the parts of one bouncer share. */
export interface House {
  /** Names this bouncer among those that share a store. */
  readonly name: string;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly pending: PendingCalls;
  readonly controlStreams: ControlStreams;
  readonly audit: Audit;
  /** What newcomers are refused with while the server goes away: each with its own time. */
  closing: (() => Words) | undefined;
  /** The drain that goes on, or has closed the door for good. */
  draining: Promise<Report> | undefined;
  /** How far the last drain is. */
  progress: DrainProgress | undefined;
  /** A stream that was inside has left. */
  released(visit: AdmittedStream): void;
}
