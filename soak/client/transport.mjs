import { nodeTransport } from "farewell/node";

/** How clients speak: each login has one of these. */
export const ways = [
  { protocol: "grpc", httpVersion: "2" },
  { protocol: "connect", httpVersion: "2" },
  { protocol: "connect", httpVersion: "1.1" },
  { protocol: "grpc-web", httpVersion: "2" },
  { protocol: "grpc-web", httpVersion: "1.1" },
];

/** A transport with connections of its own, watched by PINGs where there are any. */
export function linkTo(urls, { protocol, httpVersion }, interceptors) {
  const options = { protocol, httpVersion, interceptors };
  if (httpVersion === "1.1") return nodeTransport({ ...options, baseUrl: urls[1] });
  return nodeTransport({ ...options, baseUrl: urls[2], pingIntervalMs: 2_000, pingTimeoutMs: 4_000 });
}
