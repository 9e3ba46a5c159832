/** The three protocols that Connect clients speak. */
export type Protocol = "connect" | "grpc" | "grpc-web";

export type HttpVersion = "1.1" | "2";

/** How a server ends a streaming call: what it still sends, and what it does then. */
export interface Script {
  /**
   * How far the call gets. `on-connect`: not even the request is read. `before-headers`: the request is read, nothing
   * is answered. `after-headers`: the response has begun, without a message. `mid-stream`: messages were sent.
   */
  readonly at: "on-connect" | "before-headers" | "after-headers" | "mid-stream";
  /** How many messages to send where `at` is `mid-stream`. Flow control is not obeyed: send less than 64 kB at once. @default 1 */
  readonly messages?: number;
  /** The id of the first message; the others count up. @default 1 */
  readonly firstId?: number;
  /** Time between two messages; without it they leave in one segment. @default 0 */
  readonly intervalMs?: number;
  /** Time before the end; without it the end leaves in one segment with what came before. @default 0 */
  readonly pauseMs?: number;
  /** Response headers beside the content type. */
  readonly headers?: Fields;
  /** HTTP/1.1 only: whether the body's length is known from chunks, or only from the end of the connection. */
  readonly transfer?: "chunked" | "until-close";
  /** What ends the call; several things happen in the order given. */
  readonly end: End | readonly End[];
}

export type End =
  | Status
  /** RST_STREAM with any 32-bit code, HTTP/2 only. */
  | { readonly kind: "rst"; readonly code: number }
  /** GOAWAY, HTTP/2 only. `last`: the last stream the server promises to have processed: this one, none, or any. */
  | {
      readonly kind: "goaway";
      readonly code: number;
      readonly last: "this" | "none" | "max";
      readonly debug?: string;
      /** What follows the frame at once. @default "silence" */
      readonly then?: "fin" | "tcp-rst" | "silence";
    }
  | { readonly kind: "fin" }
  | { readonly kind: "tcp-rst" }
  /** The HTTP message ends as it should, but no status was sent. */
  | { readonly kind: "clean-end" }
  /** Half a message, then the HTTP message ends as it should. */
  | { readonly kind: "truncated" }
  /** A plain HTTP response in place of the service's: from a proxy, a login page, a load balancer. */
  | {
      readonly kind: "http";
      readonly status: number;
      readonly headers?: Fields;
      /** @default "text/html" */
      readonly contentType?: string;
    }
  /** Bytes of the response body, as they are. */
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  /** Bytes of the connection, as they are, whatever HTTP says. */
  | { readonly kind: "raw"; readonly bytes: Uint8Array }
  /** HTTP trailers, as they are; they end the HTTP message. HTTP/2 only. */
  | { readonly kind: "trailers"; readonly fields: Fields }
  | { readonly kind: "pause"; readonly ms: number }
  /** Nothing more, on a connection that stays up. `pings`: whether HTTP/2 still answers PING frames. */
  | { readonly kind: "silence"; readonly pings?: "answered" | "ignored" };

/** A protocol status: what a well-behaved server ends a call with. Code 0 is success. */
export interface Status {
  readonly kind: "status";
  readonly code: number;
  readonly message: string;
  readonly details?: readonly StatusDetail[];
  readonly metadata?: Fields;
}

/** One `google.protobuf.Any` of a status: the full name of a message, and the message. */
export interface StatusDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

export interface Fields {
  readonly [name: string]: string;
}
