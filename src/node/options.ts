import type { RequestOptions as Http1RequestOptions } from "node:http";
import type { ClientSessionOptions, SecureClientSessionOptions } from "node:http2";
import type { RequestOptions as SecureHttp1RequestOptions } from "node:https";
import type { ConnectTransportOptions } from "@connectrpc/connect-node";
import { invalid, numberIn, objectOf, oneOf } from "../check/invalid.js";
import type { Clock } from "../ports/clock.js";

/** What connect-node's transports take, whatever they run over. */
interface Common
  extends Omit<
    ConnectTransportOptions,
    | "httpVersion"
    | "nodeOptions"
    | "sessionManager"
    | "connectTimeoutMs"
    | "pingIntervalMs"
    | "pingTimeoutMs"
    | "pingIdleConnection"
    | "idleConnectionTimeoutMs"
  > {
  /** Where the server is: `"https://example.com"`, or with a path in front of the services. */
  readonly baseUrl: string;
}

/** Over HTTP/2, which is the default. */
export interface Http2TransportOptions extends Common {
  /** @default "connect" */
  readonly protocol?: "connect" | "grpc" | "grpc-web";
  /** @default "2" */
  readonly httpVersion?: "2";
  /** For `http2.connect()`, such as `ca`. */
  readonly nodeOptions?: ClientSessionOptions | SecureClientSessionOptions;
  /** Ms for a connection to be made: until the server has sent its SETTINGS. @default 20_000, as gRPC has it */
  readonly connectTimeoutMs?: number;
  /**
   * Ms without a byte after which a PING is sent on a connection with open streams, and before a call on one without.
   * `Infinity`: never. Where the server answers "too_many_pings", 300_000 at least. @default 30_000
   */
  readonly pingIntervalMs?: number;
  /** Ms without an answer to a PING after which the connection is lost. @default 15_000, as connect-node has it */
  readonly pingTimeoutMs?: number;
  /** Send PINGs on connections without streams, too. @default false */
  readonly pingIdleConnection?: boolean;
  /** Ms without a stream after which a connection is closed. @default 900_000, as connect-node has it */
  readonly idleConnectionTimeoutMs?: number;
  /** How many connections there may be. One more is opened where the server allows no more streams. @default 10 */
  readonly maxConnections?: number;
  /** Time. @default the system's, by timers that keep no process alive */
  readonly clock?: Clock;
}

/** Over HTTP/1.1. */
export interface Http1TransportOptions extends Common {
  /** gRPC needs HTTP/2. @default "connect" */
  readonly protocol?: "connect" | "grpc-web";
  readonly httpVersion: "1.1";
  /** For `http.request()`, such as `ca`. @default an agent that keeps connections for 4 s */
  readonly nodeOptions?: Omit<Http1RequestOptions, "signal"> | Omit<SecureHttp1RequestOptions, "signal">;
}

/** Options of `nodeTransport`: those of connect-node's transports, and what is to be known of the connections. */
export type NodeTransportOptions = Http2TransportOptions | Http1TransportOptions;

/**
 * What `nodeTransport` gets.
 *
 * @throws TypeError that names the option, what it was and what was expected
 */
export function checkOptions(options: NodeTransportOptions): void {
  const { baseUrl, protocol = "connect", httpVersion = "2", ...others } = objectOf("options", options);
  if (typeof baseUrl !== "string" || !/^https?:$/.test(protocolOf(baseUrl))) {
    throw invalid("baseUrl", baseUrl, "a URL that begins with http: or https:");
  }
  oneOf("httpVersion", httpVersion, ["2", "1.1"]);
  if (httpVersion === "2") oneOf("protocol", protocol, ["connect", "grpc", "grpc-web"]);
  else oneOf("protocol over HTTP/1.1", protocol, ["connect", "grpc-web"]);
  if (others.sessionManager !== undefined) {
    throw invalid("sessionManager", others.sessionManager, "none, since nodeTransport makes its own connections");
  }
  for (const name of ["connectTimeoutMs", "pingIntervalMs", "pingTimeoutMs", "idleConnectionTimeoutMs"]) {
    if (others[name] !== undefined) numberIn(name, others[name], 1, Number.POSITIVE_INFINITY);
  }
  if (others.maxConnections !== undefined) numberIn("maxConnections", others.maxConnections, 1);
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}
