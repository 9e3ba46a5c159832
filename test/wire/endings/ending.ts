import type { BuiltInReason } from "../../../src/disconnect/reasons.js";
import { type Client, type ClientName, clients } from "../clients.js";
import type { Script } from "../script.js";

/** One way in which a server ends a call, and what its clients may make of it. */
export interface Ending {
  /** What the server does. */
  readonly name: string;
  readonly script: Script;
  /** The clients that are served this. */
  readonly on: readonly ClientName[];
  /**
   * What the client notices. `throws`: an error. `ends`: the loop ends as if all was well. `hangs`: nothing, ever; only
   * a deadline or a watchdog of one's own ends the call.
   */
  readonly outcome: "throws" | "ends" | "hangs";
  /**
   * The reasons that are right, `undefined` for "not a disconnect". Several where the wire does not tell them apart, or
   * where a race decides what the client sees. For `ends`, on a stream that has no natural end.
   */
  readonly reasons: readonly Answer[];
}

/** `undefined`: not a disconnect. */
export type Answer = BuiltInReason | undefined;

/** The stages of a call at which a request has been read. */
export const stages = ["before-headers", "after-headers", "mid-stream"] as const;

/** As ms, and as turns of the event loop, enough for what was sent to be read: a TCP RST would overtake it. */
export const settledMs = 20;

/** The clients that match. */
export function those(wanted: Partial<Client> = {}): readonly ClientName[] {
  const { library, httpVersion, protocol } = wanted;
  return (Object.keys(clients) as ClientName[]).filter((name) => {
    const client = clients[name];
    return (
      (library === undefined || library === client.library) &&
      (httpVersion === undefined || httpVersion === client.httpVersion) &&
      (protocol === undefined || protocol === client.protocol)
    );
  });
}

export const every = those();
export const h2 = those({ httpVersion: "2" });
export const h1 = those({ httpVersion: "1.1" });
export const connect = those({ protocol: "connect" });
export const grpc = those({ protocol: "grpc" });
export const grpcWeb = those({ protocol: "grpc-web" });
export const connectNode = those({ library: "connect-node" });
export const connectWeb = those({ library: "connect-web" });

export function throws(name: string, script: Script, on: readonly ClientName[], reasons: readonly Answer[]): Ending {
  return { name, script, on, outcome: "throws", reasons };
}

export function ends(name: string, script: Script, on: readonly ClientName[], reasons: readonly Answer[]): Ending {
  return { name, script, on, outcome: "ends", reasons };
}

export function hangs(name: string, script: Script, on: readonly ClientName[]): Ending {
  return { name, script, on, outcome: "hangs", reasons: ["network"] };
}
