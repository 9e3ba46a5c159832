import type { Report, Stats } from "../../../src/server/index.js";
import type { MountName } from "../wire/mounts.js";

/** How the server that is attacked is mounted: as everywhere, or over TLS. */
export type GateName = MountName | "connect-node h2 tls" | "connect-node h1 tls";

/** How the server that is attacked is set up. All of it travels as JSON. */
export interface SiegeOptions {
  readonly gate: GateName;
  /** Options of Node's `createServer`, whichever it is. */
  readonly settings?: object;
  /** Properties that are set on the server, such as `headersTimeout`. */
  readonly properties?: object;
  /** Options of Connect, such as `readMaxBytes`. */
  readonly connect?: object;
  /** Options of the bouncer. */
  readonly bouncer?: object;
  /** How far the wall clock of the bouncer is ahead. @default 0 */
  readonly clockAheadMs?: number;
}

/** What the server that is attacked can be asked, and what it answers. */
export interface Orders {
  /** Microseconds of processor time so far. */
  cpu(): number;
  /** What is in use after a collection; it is 0 where the process cannot collect. */
  bytes(): number;
  /** The most memory that the process ever had, in bytes. */
  peak(): number;
  stats(): Stats;
  /** Connections that are open. */
  connections(): number;
  /** Everything that ends a process, or warns of its end. */
  trouble(): readonly string[];
  kick(user: string): Promise<Report>;
  /** Blocks the event loop. */
  stall(ms: number): void;
}

export type Order = keyof Orders;

/** What the server sends once it listens. */
export interface Ready {
  readonly port: number;
}
export interface Asked {
  readonly id: number;
  readonly order: Order;
  readonly args: readonly unknown[];
}
export interface Answered {
  readonly id: number;
  readonly answer: unknown;
}
