import {
  type ConnectError,
  type ContextKey,
  type ContextValues,
  createContextKey,
  type StreamRequest,
  type StreamResponse,
} from "@connectrpc/connect";
import { areOlder, type Credentials } from "../who/credentials.js";
import type { Who } from "../who/identity.js";
import { createInterruption } from "./interruption.js";
import type { RawStream } from "./raw-stream.js";
import { type Next, serve } from "./serve.js";

/** One stream that is inside, as `list` tells it. */
export interface Stream {
  /** Unique for as long as the bouncer lives, and in the order in which they came. */
  readonly id: string;
  /** Whose it is. */
  readonly user: string | undefined;
  /** The login that it belongs to. */
  readonly session: string | undefined;
  /** The device, if the app knows it. */
  readonly device: string | undefined;
  /** What else a selector may match. */
  readonly tags: readonly string[];
  /** `package.Service/Method`. */
  readonly method: string;
  /** It is a session's control stream. */
  readonly controlStream: boolean;
  /** The remote address; `undefined` where `contextValues` is not set. */
  readonly peer: string | undefined;
  /** When it was let in. */
  readonly since: Date;
}

/** How a stream that was put out came to its end. `left`: it was gone by itself before it could be told. */
export type Ending = "told" | "forced" | "left" | "failed";

/** One stream, and all that can be done about it. */
export interface AdmittedStream {
  readonly stream: Stream;
  /** Whose it is, with the newest credentials that were shown for it. */
  readonly who: Who;
  /** The error that it was put out with. */
  readonly goodbye: ConnectError | undefined;
  /** Resolves when neither side uses it any more. */
  readonly gone: Promise<Ending>;
  /** Aborted when it is gone. */
  readonly life: AbortSignal;
  /** Lets it in: calls its handler. */
  run(next: Next, request: StreamRequest): Promise<StreamResponse>;
  /** Ends it with the error, behind what was sent before. The handler's signal is aborted with it. Only once. */
  tell(goodbye: ConnectError): void;
  /** New credentials were verified. False: it was put out or has left, or has newer ones. */
  renew(credentials: Partial<Credentials>): boolean;
  /** Calls `listener` after each renewal. */
  onRenewal(listener: () => void): void;
  /** Its connection takes no further calls. */
  retire(): void;
  /** Ends it by force. Without a raw stream nothing can: it stays until its transport lets go. */
  cut(goodbye: ConnectError): void;
  /** It was not let in. */
  refuse(): void;
}

/** A stream, and who its client is. */
export type StreamOfClient = Pick<AdmittedStream, "stream" | "who">;

/** Whose stream it is: a session's, which hears a verdict on whichever of its streams, or else the stream's own. */
export function clientOf({ who, stream }: StreamOfClient): string {
  return who.session === undefined ? stream.id : JSON.stringify([who.user, who.session]);
}

export const admittedStreamKey: ContextKey<AdmittedStream | undefined> = createContextKey<AdmittedStream | undefined>(
  undefined,
  { description: "farewell: the stream that is inside" },
);

/**
 * The stream that a handler serves, as the bouncer knows it: for its id. `undefined` for unary calls.
 *
 * @example
 * const mine = streamOf(context.values);
 */
export function streamOf(values: ContextValues): Stream | undefined {
  return values.get(admittedStreamKey)?.stream;
}

/**
 * @param whoAtFirst as the call that opened it says
 * @param raw `undefined` where there is none, as with an in-memory transport: then a stream is gone when its end was read
 * @param late gets what a handler throws after its client was put out, for there is nobody else to tell
 */
export function createAdmittedStream(
  stream: Stream,
  whoAtFirst: Who,
  raw: RawStream | undefined,
  late: (error: unknown) => void,
): AdmittedStream {
  const interruption = createInterruption();
  const life = new AbortController();
  const leave = () => life.abort();
  const renewed: (() => void)[] = [];
  let who = whoAtFirst;
  let wasCut = false;
  const gone = new Promise<Ending>((resolve) => {
    const settle = () => {
      const told = interruption.error !== undefined && (raw?.flushed ?? true);
      resolve(told ? "told" : wasCut ? "forced" : "left");
    };
    life.signal.addEventListener("abort", settle, { once: true });
  });
  raw?.onGone(leave);
  const read = raw ? () => {} : leave; // where there is a raw stream, it knows better

  return {
    stream,
    get who() {
      return who;
    },
    gone,
    life: life.signal,
    get goodbye() {
      return interruption.error;
    },
    run: (next, request) => serve(next, request, interruption, life.signal, read, late),
    tell: interruption.end,
    renew(credentials) {
      const newest = { ...who, ...credentials };
      if (interruption.error || life.signal.aborted || areOlder(newest, who)) return false;
      who = newest;
      for (const listener of renewed) listener();
      return true;
    },
    onRenewal: (listener) => void renewed.push(listener),
    retire: () => raw?.retire(),
    cut(error) {
      interruption.end(error);
      wasCut = true;
      raw?.cut();
    },
    refuse: read,
  };
}
