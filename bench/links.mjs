import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** A transport over HTTP/2 with a connection of its own, and the session manager that tells where it stands. */
export function linkTo(baseUrl, protocol) {
  const connection = new Http2SessionManager(baseUrl);
  const options = { baseUrl, httpVersion: "2", sessionManager: connection };
  const transport = protocol === "grpc" ? createGrpcTransport(options) : createConnectTransport(options);
  return { transport, connection };
}

export const protocols = ["grpc", "connect"];
