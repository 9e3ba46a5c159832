import type { BuiltInReason, BuiltInReasons } from "./reasons.js";

/**
 * Every reason for which a stream can end, with the fields that come with it.
 *
 * Apps add their own by declaration merging; a policy for the new reason is then required by the compiler:
 *
 * ```ts
 * declare module "farewell" {
 *   interface DisconnectReasons { questFailed: { readonly quest: string } }
 * }
 * ```
 */
export interface DisconnectReasons extends BuiltInReasons {}

/** The name of an ending: a built-in reason, or one of the app's own. */
export type Reason = keyof DisconnectReasons & string;
/** A reason that the app has added. */
export type AppReason = Exclude<Reason, BuiltInReason>;

/**
 * What a Disconnect was read from, most trusted first: a typed error detail, trailers or headers, a notice that was
 * announced before, a bare status code, an HTTP status, the transport's own error, our watchdogs, or this client.
 * `unknown`: where a stream was open before, an error or an answer of which nobody knows whether it passes.
 */
export type Source =
  | "detail"
  | "trailer"
  | "notice"
  | "status"
  | "http"
  | "transport"
  | "liveness"
  | "local"
  | "unknown";

/** What every Disconnect has. */
export interface Common {
  /** Human text. Show it to users only where `said` is true. At most 4,096 characters. */
  readonly message: string;
  /** `google.rpc.LocalizedMessage`, if the server sent one: text meant for users, in their language. */
  readonly localized: LocalizedText | undefined;
  /** True: the server told us this reason. False: we inferred it. */
  readonly said: boolean;
  /** Where the reason was read. */
  readonly source: Source;
  /** The value that Connect threw, untouched; `undefined` where nothing was thrown (a clean end, a watchdog). */
  readonly cause: unknown;
}

/** Text for users. */
export interface LocalizedText {
  /** A BCP 47 tag such as `"de-CH"`. */
  readonly locale: string;
  /** The text, as it may be shown. */
  readonly message: string;
}

/** A readonly view of one ending: a union discriminated by `reason`. */
export type Disconnect<R extends Reason = Reason> = {
  [K in R]: Common & { readonly reason: K } & DisconnectReasons[K];
}[R];

/** The words of a Disconnect, before it is known where they were read: what a notice or a server's verdict holds. */
export type DisconnectInit<R extends Reason = Reason> = {
  [K in R]: { readonly reason: K; readonly message?: string; readonly localized?: LocalizedText | undefined } & {
    readonly [F in keyof DisconnectReasons[K] as undefined extends DisconnectReasons[K][F] ? F : never]?:
      | DisconnectReasons[K][F]
      | undefined;
  } & {
    readonly [F in keyof DisconnectReasons[K] as undefined extends DisconnectReasons[K][F]
      ? never
      : F]: DisconnectReasons[K][F];
  };
}[R];
