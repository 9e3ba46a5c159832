import { Agent } from "node:http";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { ConnectionState } from "../ports/connection-state.js";
import { countOf, createAgent, stateOf } from "./http1-agent.js";
import { createConnections } from "./http2-connections.js";
import { closedError } from "./lost.js";
import {
  checkOptions,
  type Http1TransportOptions,
  type Http2TransportOptions,
  type NodeTransportOptions,
} from "./options.js";
import { unheldClock } from "./unheld-clock.js";

/** The connections of a transport. A session that is made of the transport asks them by itself. */
export interface NodeConnection {
  /**
   * `open` while a call is under way, `idle` where one could be. `verifying`: a PING is out, before a call is sent. `error`: the last
   * connection was lost, or could not be made; the next call makes a new one.
   */
  state(): ConnectionState;
  /** What the last connection was lost by, in the state `error`. */
  error(): Error | undefined;
  /** How many there are now. */
  count(): number;
}

/** A transport that knows its connections. */
export interface NodeTransport extends Transport {
  readonly connection: NodeConnection;
  /**
   * Cuts all connections. Calls under way, and later ones, fail with FailedPrecondition, and no session sends them again. Over HTTP/1.1,
   * those under way fail as if the connection had been lost, and an agent of the app's is left alone.
   */
  close(): void;
}

/**
 * Makes a transport for Node whose connections cannot get stuck: what is dead is found by PINGs and left at once. Its calls fail,
 * which a session calls `network`, and the next one goes out on a new connection.
 *
 * @throws TypeError that names the option, what it was and what was expected
 * @example
 * const session = createSession(nodeTransport({ baseUrl: "https://example.com" }));
 */
export function nodeTransport(options: NodeTransportOptions): NodeTransport {
  checkOptions(options);
  return options.httpVersion === "1.1" ? overHttp1(options) : overHttp2(options);
}

function overHttp2({ protocol = "connect", ...options }: Http2TransportOptions): NodeTransport {
  const {
    connectTimeoutMs = 20_000,
    pingIntervalMs = 30_000,
    pingTimeoutMs = 15_000,
    pingIdleConnection = false,
    idleConnectionTimeoutMs = 900_000,
    maxConnections = 10,
    clock = unheldClock,
    nodeOptions,
    ...others
  } = options;
  const sessionManager = createConnections({
    ...{ connectTimeoutMs, pingIntervalMs, pingTimeoutMs, pingIdleConnection, idleConnectionTimeoutMs },
    ...{ maxConnections, clock, nodeOptions },
    authority: new URL(options.baseUrl).origin,
  });
  const create = { connect: createConnectTransport, grpc: createGrpcTransport, "grpc-web": createGrpcWebTransport };
  const { state, error, count, close } = sessionManager;
  return {
    ...create[protocol]({ ...others, httpVersion: "2", sessionManager }),
    connection: { state, error, count },
    close,
  };
}

function overHttp1({ protocol = "connect", ...options }: Http1TransportOptions): NodeTransport {
  const given = options.nodeOptions?.agent;
  const agent = given instanceof Agent ? given : createAgent(new URL(options.baseUrl).protocol === "https:");
  let closed = false;
  const refuse: Interceptor = (next) => (request) => {
    if (closed) throw closedError();
    return next(request);
  };
  const create = { connect: createConnectTransport, "grpc-web": createGrpcWebTransport };
  return {
    ...create[protocol]({
      ...options,
      nodeOptions: { agent, ...options.nodeOptions },
      interceptors: [...(options.interceptors ?? []), refuse],
    }),
    connection: { state: () => stateOf(agent), error: () => undefined, count: () => countOf(agent) },
    close() {
      closed = true;
      if (agent !== given) agent.destroy();
    },
  };
}
