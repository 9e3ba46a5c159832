import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

export const protocols = ["connect", "grpc", "grpc-web"] as const;
export type Protocol = (typeof protocols)[number];

/** A transport over one HTTP/2 connection. Its state tells a lost connection from a stream that was reset. */
export function createLink(
  protocol: Protocol,
  baseUrl: string,
  interceptors: Interceptor[],
): { readonly transport: Transport; readonly connection: Http2SessionManager } {
  const connection = new Http2SessionManager(baseUrl);
  const options = { baseUrl, httpVersion: "2", interceptors, sessionManager: connection } as const;
  switch (protocol) {
    case "connect":
      return { transport: createConnectTransport(options), connection };
    case "grpc":
      return { transport: createGrpcTransport(options), connection };
    case "grpc-web":
      return { transport: createGrpcWebTransport(options), connection };
    default:
      return protocol satisfies never;
  }
}
