import type { RequestListener } from "node:http";
import { cors } from "@connectrpc/connect";

const allowedHeaders = [...cors.allowedHeaders, "Authorization", "Lobby-Room"];
// Where a goodbye travels in headers, as with gRPC-Web, a page of another origin reads only what is exposed.
const goodbyeHeaders = ["Farewell-Reason", "Farewell-Code", "Farewell-Until", "Farewell-By", "Farewell-Reserved"];
const exposedHeaders = [...cors.exposedHeaders, ...goodbyeHeaders, "Retry-After", "Grpc-Retry-Pushback-Ms"];

/** Lets pages of any origin call. They send no cookies, so that there is nothing to borrow. */
export function withCors(next: RequestListener): RequestListener {
  return (request, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Expose-Headers", exposedHeaders.join(", "));
    if (request.method !== "OPTIONS") return next(request, response);
    response.setHeader("Access-Control-Allow-Methods", cors.allowedMethods.join(", "));
    response.setHeader("Access-Control-Allow-Headers", allowedHeaders.join(", "));
    response.setHeader("Access-Control-Max-Age", 7_200);
    response.writeHead(204).end();
  };
}
