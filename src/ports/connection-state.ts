/** What `Http2SessionManager.state()` of `@connectrpc/connect-node` answers. */
export type ConnectionState = "closed" | "connecting" | "open" | "idle" | "verifying" | "error";
