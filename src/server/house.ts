import type { Clock } from "../ports/clock.js";
import type { Arrivals } from "./arrivals.js";
import type { Companions } from "./companions.js";
import type { DrainProgress } from "./drain.js";
import type { Journal } from "./journal.js";
import type { Settings } from "./options.js";
import type { Report } from "./put-out.js";
import type { Registry } from "./registry.js";
import type { Words } from "./store.js";
import type { Visit } from "./visit.js";

/** What the parts of one bouncer share. */
export interface House {
  /** Names this bouncer among those that share a store. */
  readonly name: string;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly arrivals: Arrivals;
  readonly companions: Companions;
  readonly journal: Journal;
  /** What newcomers are refused with while the server goes away: each with its own time. */
  closing: (() => Words) | undefined;
  /** The drain that goes on, or has closed the door for good. */
  draining: Promise<Report> | undefined;
  /** How far the last drain is. */
  progress: DrainProgress | undefined;
  /** A stream that was inside has left. */
  released(visit: Visit): void;
}
