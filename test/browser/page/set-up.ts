import type { SessionOptions } from "../../../src/index.js";

/** What a page is to do: in its address, so that a reload does the same. */
export interface SetUp {
  readonly protocol: "connect" | "grpc-web";
  /** Where the chat is. @default where the page is from */
  readonly api?: string;
  readonly account: string;
  /** This login of the account. A new login adds to it. */
  readonly login?: string;
  /** Whether a verdict and a wait outlive the page. @default true */
  readonly memory?: boolean;
  readonly hiddenAfterMs?: number;
  readonly asleepAfterMs?: number;
  readonly coolDownMs?: number;
  readonly rememberMs?: number;
  /** Whether it attends the server's control stream. @default false */
  readonly controlStream?: boolean;
  /** Of `createSession`, as far as they are data. */
  readonly session?: Pick<SessionOptions, "policies" | "rateLimit" | "healthyAfterMs" | "headersTimeoutMs">;
}

/** What a page shows to tests alone. */
export interface Shown {
  /** Every status line so far. */
  readonly statuses: readonly string[];
  /** Which attempt is waited for. */
  readonly attempt: number;
  /** Every event so far, for a test that fails. */
  readonly events: readonly string[];
  /** Each `pageshow`: whether it came out of the back-forward cache. */
  readonly persisted: readonly boolean[];
}

declare global {
  var shown: Shown;
}
