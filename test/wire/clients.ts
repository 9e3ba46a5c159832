import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
  type Http2SessionOptions,
} from "@connectrpc/connect-node";
import {
  createConnectTransport as createConnectWebTransport,
  createGrpcWebTransport as createGrpcWebWebTransport,
} from "@connectrpc/connect-web";
import type { ConnectionState } from "../../src/ports/connection-state.js";
import type { HttpVersion, Protocol } from "./script.js";

/** Every Connect client that runs on Node: connect-node, and connect-web with Node's fetch (HTTP/1.1). */
export const clients = {
  "node h2 grpc": { library: "connect-node", httpVersion: "2", protocol: "grpc" },
  "node h2 grpc-web": { library: "connect-node", httpVersion: "2", protocol: "grpc-web" },
  "node h2 connect": { library: "connect-node", httpVersion: "2", protocol: "connect" },
  "node h1 grpc-web": { library: "connect-node", httpVersion: "1.1", protocol: "grpc-web" },
  "node h1 connect": { library: "connect-node", httpVersion: "1.1", protocol: "connect" },
  "fetch h1 grpc-web": { library: "connect-web", httpVersion: "1.1", protocol: "grpc-web" },
  "fetch h1 connect": { library: "connect-web", httpVersion: "1.1", protocol: "connect" },
} as const satisfies { readonly [name: string]: Client };

export type ClientName = keyof typeof clients;

export interface Client {
  readonly library: "connect-node" | "connect-web";
  readonly httpVersion: HttpVersion;
  readonly protocol: Protocol;
}

/** A transport. Its connections go when the server closes them, so that it needs no `close()` of its own. */
export interface Link {
  readonly transport: Transport;
  /** `Http2SessionManager.state()`; `undefined` where there is no session manager. */
  readonly connection: () => ConnectionState | undefined;
}

/** What PINGs are sent, over HTTP/2 alone, and what sees each call on its way. */
export interface LinkOptions extends Http2SessionOptions {
  readonly interceptors?: Interceptor[];
}

/** A transport for the client, towards the server. */
export function linkTo(baseUrl: string, client: Client, options: LinkOptions = {}): Link {
  const { library, httpVersion, protocol } = client;
  const { interceptors = [], ...ping } = options;
  if (library === "connect-web") {
    const create = protocol === "connect" ? createConnectWebTransport : createGrpcWebWebTransport;
    return {
      transport: create({ baseUrl, interceptors, useBinaryFormat: true, fetch: fetchThatAborts }),
      connection: () => undefined,
    };
  }
  if (httpVersion === "1.1") {
    const create = protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
    return { transport: create({ baseUrl, interceptors, httpVersion }), connection: () => undefined };
  }
  // Never abort() it after a failure: connect-node has dropped its error listener by then, so that the session's own
  // late error would be uncaught and end the process.
  const sessionManager = new Http2SessionManager(baseUrl, ping);
  const connection = () => sessionManager.state();
  switch (protocol) {
    case "connect":
      return { transport: createConnectTransport({ baseUrl, interceptors, httpVersion, sessionManager }), connection };
    case "grpc":
      return { transport: createGrpcTransport({ baseUrl, interceptors, sessionManager }), connection };
    case "grpc-web":
      return { transport: createGrpcWebTransport({ baseUrl, interceptors, httpVersion, sessionManager }), connection };
    default:
      return protocol satisfies never;
  }
}

/**
 * Node's fetch can lose the abort of a request that must not be redirected, which all of connect-web's are
 * (nodejs/undici#4627): the call then stays open. Here a redirect is followed by the same error instead.
 */
export const fetchThatAborts: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: "manual" });
  if (response.status < 300 || response.status > 399) return response;
  await response.body?.cancel();
  throw new TypeError("fetch failed", { cause: new Error("unexpected redirect") });
};
