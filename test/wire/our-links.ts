import { type NodeTransport, nodeTransport } from "../../src/node/index.js";
import { createFakeClock, type FakeClock } from "../../src/testing/index.js";
import type { Link } from "./clients.js";
import type { HttpVersion, Protocol } from "./script.js";

/** The clients that `farewell/node` can be. */
export const ours = {
  "h2 grpc": { httpVersion: "2", protocol: "grpc" },
  "h2 grpc-web": { httpVersion: "2", protocol: "grpc-web" },
  "h2 connect": { httpVersion: "2", protocol: "connect" },
  "h1 grpc-web": { httpVersion: "1.1", protocol: "grpc-web" },
  "h1 connect": { httpVersion: "1.1", protocol: "connect" },
} as const satisfies { readonly [name: string]: { httpVersion: HttpVersion; protocol: Protocol } };

export type OurName = keyof typeof ours;
export const oursOverHttp2 = ["h2 grpc", "h2 grpc-web", "h2 connect"] as const satisfies readonly OurName[];

/** A transport whose time stands still until the test lets it pass. */
export interface OurLink extends Link {
  readonly transport: NodeTransport;
  readonly clock: FakeClock;
  close(): void;
}

export function ourLinkTo(baseUrl: string, name: OurName, options: { readonly maxConnections?: number } = {}): OurLink {
  const clock = createFakeClock();
  const { httpVersion, protocol } = ours[name];
  const transport =
    httpVersion === "1.1"
      ? nodeTransport({ baseUrl, httpVersion, protocol })
      : nodeTransport({ baseUrl, protocol, clock, ...options });
  return { transport, clock, connection: transport.connection.state, close: transport.close };
}
