import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { AdmittedStream } from "../inside/admitted-stream.js";
import type { Away } from "../inside/away.js";
import type { PendingCalls } from "../inside/pending.js";
import type { Registry } from "../inside/registry.js";
import type { UnaryCalls } from "../inside/unary-calls.js";
import type { Holds } from "../verdict/holds.js";
import type { Selector } from "../who/selector.js";
import type { AcceptSettings } from "./accept.js";
import type { AddressSettings } from "./addresses.js";
import type { CallerSettings } from "./callers.js";
import type { Closing } from "./closing.js";
import type { LoginSettings } from "./login-place.js";
import type { RationSettings } from "./rations.js";

/** What admission needs. */
export interface AdmissionParts {
  /** Names this bouncer among those that share a store. */
  readonly name: string;
  readonly settings: AdmissionSettings;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly away: Away;
  readonly pending: PendingCalls;
  readonly calls: UnaryCalls;
  readonly closing: Closing;
  readonly holds: Holds;
  readonly audit: Audit;
  /** Puts out a session that has lost its place to a newcomer, `by` its label. */
  supersede(loser: Selector, by: string | undefined): Promise<unknown>;
  /** Ends a stream whose credentials have ended. */
  expire(stream: string): Promise<unknown>;
  /** A stream that was inside has left. */
  released(admitted: AdmittedStream): void;
}

/** What the bouncer's options say about admission. */
export interface AdmissionSettings
  extends AcceptSettings,
    AddressSettings,
    CallerSettings,
    LoginSettings,
    RationSettings {}
