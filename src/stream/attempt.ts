import type { Message } from "@bufbuild/protobuf";
import type { StreamResponse } from "@connectrpc/connect";
import { isForeign } from "../disconnect/answer.js";
import type { Evidence } from "../disconnect/classify.js";
import { hiddenError } from "../disconnect/hidden-error.js";
import type { Clock } from "../ports/clock.js";
import { after } from "../ports/timer.js";

/** One call on the transport. */
export interface StreamAttempt {
  /** Aborts when it is over. */
  readonly signal: AbortSignal;
  /** Asks for the next message, once it is open. */
  next(): void;
  /** It is over, whatever the transport says. Without evidence nobody is told. */
  end(evidence?: Evidence): void;
}

/** What an attempt is made of, and whom it tells: of its headers, of each message, then of exactly one Evidence. */
export interface StreamAttemptOptions {
  readonly clock: Clock;
  readonly headersTimeoutMs: number | undefined;
  readonly endless: boolean;
  /** Makes the call on the transport. */
  readonly request: (signal: AbortSignal) => Promise<StreamResponse>;
  /** What was thrown, as evidence: asked in the tick of the failure. `header`: of the response, if it had begun. */
  readonly thrown: (error: unknown, header?: Headers) => Evidence;
  readonly opened: (response: StreamResponse) => void;
  /** `first`: the first one of this attempt. */
  readonly message: (result: IteratorYieldResult<Message>, first: boolean) => void;
  readonly over: (evidence: Evidence) => void;
  /** Nobody reads its input any more. */
  readonly retire: () => void;
}

export function startAttempt(options: StreamAttemptOptions): StreamAttempt {
  const { clock, headersTimeoutMs, endless, request, thrown, opened, message, over, retire } = options;
  const controller = new AbortController();
  const { signal } = controller;
  // Only where they are needed: an AbortController for each of many streams is a lot of memory in Node.
  const headers = headersTimeoutMs === undefined ? undefined : new AbortController();
  let ask = () => {};

  // Raced by hand, as everywhere: an abort can be lost on its way through fetch (nodejs/undici#4627).
  const end = (evidence?: Evidence) => {
    if (signal.aborted) return;
    headers?.abort();
    controller.abort(); // a plain abort: the only one that sends RST_STREAM(CANCEL)
    retire();
    if (evidence) over(evidence);
  };
  const failed = (error: unknown, header?: Headers) => {
    if (!signal.aborted) end(thrown(error, header));
  };
  if (headers && headersTimeoutMs !== undefined) {
    after(clock, headersTimeoutMs, headers.signal, () => end({ silent: `no response within ${headersTimeoutMs} ms` }));
  }
  new Promise<StreamResponse>((resolve) => resolve(request(signal))).then((response) => {
    if (signal.aborted) return;
    headers?.abort();
    const { header, trailer } = response;
    const messages = response.message[Symbol.asyncIterator]();
    // In gRPC-Web a web page is a response, until it is read.
    let early = isForeign(header) ? messages.next() : undefined;
    let quiet = true;
    const received = (result: IteratorResult<Message>) => {
      if (signal.aborted) return;
      if (result.done) {
        const error = hiddenError(header, trailer);
        return end(error ? { error } : { trailer, header, endless });
      }
      const first = quiet;
      quiet = false;
      message(result, first);
    };
    const broken = (error: unknown) => failed(error, quiet ? header : undefined); // with a message, it is no page
    ask = () => {
      const next = early ?? messages.next();
      early = undefined;
      next.then(received, broken);
    };
    const begin = () => {
      if (!signal.aborted) opened(response);
    };
    if (early) early.then((first) => (first.done ? received(first) : begin()), broken);
    else begin();
  }, failed);
  return { signal, next: () => ask(), end };
}
