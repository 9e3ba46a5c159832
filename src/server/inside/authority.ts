import type { RawRequest } from "./raw-stream.js";

/** What a caller is said to have asked for who has asked for nothing that a URL can hold (RFC 2606: nobody has that name). */
const nobody = "unknown.invalid";

/**
 * Connect makes a URL of a request's authority in Node's own event, where what it throws ends the process: one line,
 * `Host: [`, from anybody. Such an authority is replaced before Connect reads it.
 */
export function mendAuthority(request: RawRequest): void {
  const { headers } = request;
  if (!headers) return;
  const name = "authority" in request ? ":authority" : "host";
  const authority = "authority" in request ? request.authority : headers.host;
  if (authority === undefined || !URL.canParse(`http://${authority}`)) headers[name] = nobody;
}
