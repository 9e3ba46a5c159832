import {
  type ConnectError,
  type ContextKey,
  type ContextValues,
  createContextKey,
  type StreamRequest,
  type StreamResponse,
} from "@connectrpc/connect";
import type { Who } from "../who/identity.js";
import { interruptible } from "./interruptible.js";
import type { RawStream } from "./raw-stream.js";

/** One stream that is inside, as `list` tells it. */
export interface Stream {
  /** Unique for as long as the bouncer lives, and in the order in which they came. */
  readonly id: string;
  readonly user: string | undefined;
  readonly session: string | undefined;
  readonly device: string | undefined;
  readonly tags: readonly string[];
  /** `package.Service/Method`. */
  readonly method: string;
  /** It is a session's control stream. */
  readonly controlStream: boolean;
  /** The remote address; `undefined` where `contextValues` is not set. */
  readonly peer: string | undefined;
  readonly since: Date;
}

/** How a stream that was put out came to its end. `left`: it was gone by itself before it could be told. */
export type Ending = "told" | "forced" | "left" | "failed";

/** One stream, and all that can be done about it. */
export interface AdmittedStream {
  readonly stream: Stream;
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
  /** Its connection takes no further calls. */
  retire(): void;
  /** Ends it by force. Without a line nothing can: it stays until its transport lets go. */
  cut(goodbye: ConnectError): void;
  /** It was not let in. */
  refuse(): void;
}

/** Whose visit it is: a session's, which hears a verdict on whichever of its streams, or else the stream's own. */
export function clientOf({ who, stream }: AdmittedStream): string {
  return who.session === undefined ? stream.id : JSON.stringify([who.user, who.session]);
}

export const admittedStreamKey: ContextKey<AdmittedStream | undefined> = createContextKey<AdmittedStream | undefined>(
  undefined,
  {
    description: "farewell: the stream that is inside",
  },
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

type Next = (request: StreamRequest) => Promise<unknown>;

/**
 * @param line `undefined` where there is none, as with an in-memory transport: then a stream is gone when its end was read
 * @param late gets what a handler throws after its client was put out, for there is nobody else to tell
 */
export function createAdmittedStream(
  stream: Stream,
  who: Who,
  line: RawStream | undefined,
  late: (error: unknown) => void,
): AdmittedStream {
  const handler = new AbortController();
  const life = new AbortController();
  const interrupts: ((error: ConnectError) => void)[] = [];
  let goodbye: ConnectError | undefined;
  let wasCut = false;
  let settle: (ending: Ending) => void = () => {};
  const gone = new Promise<Ending>((resolve) => {
    settle = resolve;
  });

  function leave(): void {
    if (life.signal.aborted) return;
    const told = goodbye !== undefined && (line?.flushed ?? true);
    settle(told ? "told" : wasCut ? "forced" : "left");
    life.abort();
  }
  line?.onGone(leave);
  const read = line ? () => {} : leave; // where there is a line, it knows better

  function end(error: ConnectError): void {
    if (goodbye) return;
    goodbye = error;
    for (const interrupt of interrupts) interrupt(error); // first: the handler's own last words would overtake ours
    handler.abort(error);
  }

  /** A handler that ends because it was told to has nothing to report. */
  function spent(error: unknown): void {
    if (error !== goodbye && !(error instanceof Error && error.name === "AbortError")) late(error);
  }

  return {
    stream,
    who,
    gone,
    life: life.signal,
    get goodbye() {
      return goodbye;
    },
    tell: end,
    retire: () => line?.retire(),
    cut(error) {
      end(error);
      wasCut = true;
      line?.cut();
    },
    refuse: read,
    async run(next, request) {
      const relay = () => handler.abort(request.signal.reason);
      if (request.signal.aborted) relay();
      else request.signal.addEventListener("abort", relay, { once: true });
      const input = interruptible(
        request.message,
        () => {},
        () => {}, // that the client's half is cut off with it is no news
      );
      interrupts.push(input.interrupt);
      const answer = new Promise<StreamResponse>((resolve, reject) => {
        if (goodbye) return reject(goodbye);
        interrupts.push(reject);
        next({ ...request, signal: handler.signal, message: input.iterable } as StreamRequest).then(
          (response) => resolve(response as StreamResponse),
          (error) => {
            if (goodbye) spent(error);
            reject(error);
          },
        );
      });
      try {
        const response = await answer;
        const messages = response.message[Symbol.asyncIterator]();
        const output = interruptible({ [Symbol.asyncIterator]: () => messages }, read, spent);
        const stop = (error: ConnectError) => {
          output.interrupt(error);
          // A handler's `finally` runs: now if it waits in a `yield`, else when its signal has woken it.
          const abandon = async () => messages.return?.();
          abandon().catch(spent);
        };
        interrupts.push(stop);
        if (goodbye) stop(goodbye);
        return { ...response, message: output.iterable } as StreamResponse;
      } catch (error) {
        read();
        throw error;
      }
    },
  };
}
