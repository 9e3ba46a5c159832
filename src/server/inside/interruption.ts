import type { ConnectError } from "@connectrpc/connect";

/** The end of one stream by the bouncer: it comes once, and reaches whatever the stream is stuck in. */
export interface Interruption {
  /** What the stream was ended with. */
  readonly error: ConnectError | undefined;
  /** For the handler: aborted with the error, or when the client leaves. */
  readonly signal: AbortSignal;
  /** Ends it. Only the first error counts. */
  end(error: ConnectError): void;
  /** Calls `interrupt` at the end; at once if that has come. */
  on(interrupt: (error: ConnectError) => void): void;
  /** The client's own signal aborts the handler's. */
  follow(client: AbortSignal): void;
}

export function createInterruption(): Interruption {
  const handler = new AbortController();
  const interrupts: ((error: ConnectError) => void)[] = [];
  let ended: ConnectError | undefined;
  return {
    get error() {
      return ended;
    },
    signal: handler.signal,
    end(error) {
      if (ended) return;
      ended = error;
      for (const interrupt of interrupts) interrupt(error); // first: the handler's own last words would overtake ours
      handler.abort(error);
    },
    on(interrupt) {
      interrupts.push(interrupt);
      if (ended) interrupt(ended);
    },
    follow(client) {
      const relay = () => handler.abort(client.reason);
      if (client.aborted) relay();
      else client.addEventListener("abort", relay, { once: true });
    },
  };
}
