import type { ClientName } from "../wire/clients.js";
import { type Ending, every } from "../wire/endings/ending.js";
import { endings } from "../wire/endings.js";
import { disconnect, text } from "../wire/rpc-details.js";
import type { Script } from "../wire/script.js";

/** A server that no call reaches: nobody listens, it speaks no TLS, nobody vouches for it, or it speaks another HTTP. */
export type Unreached = "refused" | "no TLS" | "self-signed" | "another HTTP";

/** What is raised in each runtime. */
export interface Act {
  readonly name: string;
  readonly server: Script | Unreached;
  readonly on: readonly ClientName[];
  readonly outcome: Ending["outcome"];
  readonly reasons: Ending["reasons"];
}

/** Every ending of the wire tests, servers that are not reached, and a kick that is said. */
export const acts: readonly Act[] = [
  ...endings.map(({ name, script, ...rest }) => ({ name: `${name}, ${script.at}`, server: script, ...rest })),
  unreached("refused", ["network"]),
  unreached("no TLS", [undefined]),
  unreached("self-signed", [undefined]),
  unreached("another HTTP", [undefined, "network"]), // the server may hang up before the client has read its answer
  ...(["before-headers", "after-headers", "mid-stream"] as const).map((at): Act => {
    const details = [disconnect(1, text(1, "afk"))];
    const server: Script = { at, end: { kind: "status", code: 7, message: "Idle", details } };
    return { name: `a kick that is said, ${at}`, server, on: every, outcome: "throws", reasons: ["kicked"] };
  }),
];

function unreached(server: Unreached, reasons: Ending["reasons"]): Act {
  return { name: server, server, on: every, outcome: "throws", reasons };
}
