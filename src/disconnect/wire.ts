/** The `domain` of our `google.rpc.ErrorInfo`; its `reason` is a built-in reason in UPPER_SNAKE_CASE. */
export const errorDomain = "farewell.v1";

/** The ASCII mirror of a Disconnect in trailers or headers. Values are percent-encoded (RFC 3986). */
export const mirror = {
  reason: "farewell-reason",
  code: "farewell-code",
  until: "farewell-until",
  by: "farewell-by",
  reserved: "farewell-reserved",
  /** Whole seconds or an HTTP date (RFC 9110, section 10.2.3). */
  retryAfter: "retry-after",
  /** Milliseconds (grpc/proposal, A6-client-retries.md). */
  pushbackMs: "grpc-retry-pushback-ms",
} as const;

/** Names the client's session in its calls, where it has a control stream. */
export const sessionHeader = "farewell-session";
