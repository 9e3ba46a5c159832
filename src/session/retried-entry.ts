import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import type { ContextValues, Transport, UnaryResponse } from "@connectrpc/connect";
import type { StreamLabel } from "../machine/stream-label.js";
import type { StreamHost } from "../stream/host.js";
import type { Credentials } from "./credentials.js";
import type { Driver } from "./driver.js";
import type { Notices } from "./notices.js";

// How a session and its retried calls know each other. Only types: the retrying itself comes with the entry.

/** How the calls of unary methods are made, if not once and as they are. It brings what does it. */
export interface RetriedEntry {
  /** `undefined`: for more than one method. */
  readonly method: DescMethodUnary | undefined;
  /** What made it. */
  readonly madeBy: string;
  readonly covers: (method: DescMethodUnary) => boolean;
  /** Makes a call, and makes it again where it is lost. `undefined`: it is part of signing in, and made as it is. */
  readonly retry: ((call: UnaryCall, host: RetryHost) => Promise<UnaryResponse>) | undefined;
}

/** What Connect hands to `Transport.unary`. */
export interface UnaryCall {
  /** Makes one attempt: a call like any other. */
  readonly once: Transport["unary"];
  readonly method: DescMethodUnary;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeadersInit | undefined;
  readonly input: MessageInitShape<DescMessage>;
  readonly contextValues: ContextValues | undefined;
}

/** The session, as its retried calls see it. */
export interface RetryHost {
  readonly driver: Driver;
  readonly notices: Pick<Notices, "name">;
  readonly credentials: Pick<Credentials, "isOwn" | "generation" | "wait" | "ask">;
  /** Where a call waits: among the streams. */
  readonly host: StreamHost;
  /** Which login this is: what was said to the one before is no news for it. */
  readonly login: number;
  /** Why no call may go out any more. */
  refusal(): unknown;
  /** A label for a call that takes part in an outage. */
  label(name: string): StreamLabel;
  readonly reportError: (error: unknown) => void;
}
