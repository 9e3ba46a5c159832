import type { ClientName } from "../wire/clients.js";
import { type Answer, connectWeb, h2 } from "../wire/endings/ending.js";

/** What a runtime makes of endings that Node makes something else of. The guide has a row for each. */
export interface Difference {
  readonly runtime: "Deno" | "Bun";
  readonly on: readonly ClientName[];
  /** The names of the acts. */
  readonly acts: RegExp;
  /** `never raised`: it would bring the runtime down. */
  readonly reasons: readonly Answer[] | "never raised";
  /** So is it over the transport of farewell/node. */
  readonly ours?: true;
  /** The order of events decides whether it is seen. */
  readonly sometimes?: true;
}

export const differences: readonly Difference[] = [
  // The connection still reads "idle" when the stream fails, so a lost connection looks like a stream that was reset.
  {
    runtime: "Deno",
    on: h2,
    acts: /^(GOAWAY 0 for other streams, then )?FIN, (before|after|mid)/,
    reasons: ["aborted"],
  },
  // What was received before the end of a connection is thrown away.
  {
    runtime: "Deno",
    on: h2,
    acts: /then TCP RST|then status/,
    reasons: ["network", "aborted"],
    sometimes: true,
    ours: true,
  },
  // A connection that is closed as soon as it is made: connect-node's Http2SessionManager.connect() never comes to rest.
  { runtime: "Deno", on: h2, acts: /^(FIN|TCP RST), on-connect$/, reasons: "never raised" },
  // fetch tells no code, so a certificate or a protocol that does not fit is not told from a path that failed.
  { runtime: "Deno", on: connectWeb, acts: /^(no TLS|self-signed)$/, reasons: ["network"] },
  { runtime: "Bun", on: h2, acts: /^RST 14,/, reasons: [undefined], ours: true },
];
