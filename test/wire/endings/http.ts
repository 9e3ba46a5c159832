import type { ClientName } from "../clients.js";
import type { End } from "../script.js";
import {
  type Answer,
  connect,
  connectNode,
  connectWeb,
  type Ending,
  every,
  grpc,
  grpcWeb,
  those,
  throws,
} from "./ending.js";

/** Answers of a proxy, a login page or a load balancer in place of the service's. */
export function httpResponses(): readonly Ending[] {
  const row = (
    name: string,
    response: Omit<End & { kind: "http" }, "kind">,
    on: readonly ClientName[],
    reasons: readonly Answer[],
  ) => throws(name, { at: "before-headers", end: { kind: "http", ...response } }, on, reasons);
  const reasonsOf: { readonly [status: number]: readonly Answer[] } = {
    400: [undefined],
    401: ["unauthenticated"],
    403: [undefined],
    404: [undefined],
    408: ["network"],
    413: [undefined],
    429: ["throttled"],
    431: [undefined],
    499: ["network"],
    500: ["aborted", "network"],
    501: [undefined],
    502: ["network"],
    503: ["network"],
    504: ["network"],
    520: ["network"],
    522: ["network"],
    524: ["network"],
  };
  const unclear = ["aborted", undefined, "network"] as const;
  const grpcWebOnNode = those({ protocol: "grpc-web", library: "connect-node" });
  const grpcWebOnFetch = those({ protocol: "grpc-web", library: "connect-web" });
  const redirect = { status: 301, headers: { location: "http://127.0.0.1:9/" } };
  const retry = { "retry-after": "30" };
  const envoy = { server: "envoy" };
  const denied = { "grpc-status": "7", "grpc-message": "banned", "x-disconnect-reason": "banned" };
  return [
    ...Object.entries(reasonsOf).map(([status, reasons]) =>
      row(`HTTP ${status}`, { status: Number(status) }, every, reasons),
    ),
    row("HTTP 429 with retry-after", { status: 429, headers: retry }, every, ["throttled"]),
    row("HTTP 503 with retry-after", { status: 503, headers: retry }, every, ["maintenance"]),
    row("HTTP 503 of Envoy", { status: 503, headers: envoy, contentType: "text/plain" }, every, ["network"]),
    row("HTTP 403 with grpc-status 7 in its headers", { status: 403, headers: denied }, every, [undefined]),
    row(
      "HTTP 503 with grpc-status 8 in its headers",
      { status: 503, headers: { "grpc-status": "8", "grpc-message": "overloaded" } },
      every,
      ["network"],
    ),
    row("HTTP 301", redirect, connectNode, [undefined]),
    row("HTTP 301", redirect, connectWeb, ["network"]), // fetch hides the redirect: "fetch failed"
    row("HTTP 204", { status: 204 }, [...connect, ...grpc, ...grpcWebOnFetch], unclear),
    row("HTTP 204", { status: 204 }, grpcWebOnNode, ["aborted"]), // an empty stream, without its status
    row("HTTP 200 with a web page", { status: 200 }, connect, [undefined]),
    row("HTTP 200 with a web page", { status: 200 }, grpc, unclear),
    row("HTTP 200 with a web page", { status: 200 }, grpcWeb, [undefined]), // read as a message that was cut
  ];
}
