import type { ConnectionState } from "../ports/connection-state.js";

// The errors of Node, Deno and Bun, imported as "#transport-errors". A browser never sees them: there fetch tells no more
// than that it failed, and its bundle gets no-node-errors.ts.

/** What such an error says. `permanent`: the next attempt would end the same way. */
export type Told = "permanent" | "throttled" | "aborted" | "network" | undefined;

/** Reads the codes of an error and of what caused it, and connect-node's own words. */
export function toldByNode(text: string, causes: readonly unknown[], connection: ConnectionState | undefined): Told {
  const codes = causes.map(codeOf);
  if (codes.some((code) => permanent.test(code))) return "permanent";
  const h2 = /(stream|session|connection) closed with error code (?:NGHTTP2_)?(\w+)/i.exec(text);
  if (h2) {
    const [, what = "", error = ""] = h2;
    if (/^(INADEQUATE_SECURITY|HTTP_1_1_REQUIRED|12|13)$/.test(error)) return "permanent";
    if (/^(ENHANCE_YOUR_CALM|11)$/.test(error)) return "throttled";
    if (/^(REFUSED_STREAM|7)$/.test(error) || !/stream/i.test(what)) return "network";
    // These are also how connect-node reports a lost connection: the second since 2.3, of a stream without headers. Only the
    // connection's state tells; where nobody knows it, the first is most often that.
    const gone = connection === "closed" || connection === "error";
    const lost = /^(CANCEL|8)$/.test(error) ? gone || connection === undefined : gone && /^(NO_ERROR|0)$/.test(error);
    return lost ? "network" : "aborted";
  }
  const lost = codes.some((code) => [unreachable, unresolved, ofBun].some((known) => known.test(code)));
  return lost || lostConnection.test(text) || causes.some((cause) => ofDeno.test(messageOf(cause)))
    ? "network"
    : undefined;
}

/** TLS and protocol mismatch, and heads over a limit of our own (the codes of Node's OpenSSL, of llhttp and of undici). */
const permanent =
  /CERT|SELF_SIGNED|UNABLE_TO_|^HOSTNAME_MISMATCH|^ERR_(SSL|TLS|INVALID)_|^EPROTO$|^HPE_|^ERR_HTTP2_ERROR$|^UND_ERR_(HEADERS_OVERFLOW|INVALID_ARG)$/;

/** System calls, undici and Node's HTTP/2 client reporting a path that failed. */
const unreachable =
  /^E(CONN(RESET|REFUSED|ABORTED)|(SOCK)?TIMEDOUT|PIPE|(HOST|NET)(UNREACH|DOWN)|NETRESET|NONET|NOTCONN|SHUTDOWN|ADDRNOTAVAIL)$|^UND_ERR_(SOCKET|DESTROYED|CLOSED|(CONNECT|HEADERS|BODY)_TIMEOUT)$|^ERR_HTTP2_(GOAWAY_SESSION|INVALID_SESSION|STREAM_CANCEL)$|^ERR_SOCKET_(CLOSED|CONNECTION_TIMEOUT)/;

/** A name that was not found, or not now: getaddrinfo's codes, and those of c-ares. */
const unresolved =
  /^E(AI_\w+|NOTFOUND|NODATA|NONAME|FORMERR|SERVFAIL|NOTIMP|REFUSED|TIMEOUT|CANCELLED|DESTRUCTION|OF|FILE|BAD(QUERY|NAME|FAMILY|RESP|STR))$/;

/** Bun's fetch says what Node says by codes of its own. */
const ofBun = /^(Connection(Refused|Closed|Reset|Timeout)|FailedToOpenSocket|Timeout|DNS\w+)$/;

/** Deno's fetch, which is hyper, has no codes. */
const ofDeno =
  /^(error (sending request|reading a body from connection)|request or response body error|connection closed before)/;

/** connect-node's own words for a connection that went away between calls. */
const lostConnection = /^received GOAWAY|^connection aborted|^expected open session/;

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : "";
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
}
