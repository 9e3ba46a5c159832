import type { ConnectError, StreamRequest, StreamResponse } from "@connectrpc/connect";
import { interruptible } from "./interruptible.js";
import type { Interruption } from "./interruption.js";

/** The next interceptor, or the handler. */
export type Next = (request: StreamRequest) => Promise<unknown>;

/**
 * Calls a stream's handler so that it can be ended wherever it is: before it answers, while it reads, while it is read.
 *
 * @param life aborted when neither side uses the stream any more
 * @param read called when the answer has come to an end, whichever; may be called more than once
 * @param late gets what the handler throws after the end, for there is nobody else to tell
 */
export async function serve(
  next: Next,
  request: StreamRequest,
  interruption: Interruption,
  life: AbortSignal,
  read: () => void,
  late: (error: unknown) => void,
): Promise<StreamResponse> {
  interruption.follow(request.signal);
  const input = interruptible(
    request.message,
    () => {},
    () => {}, // that the client's half is cut off with it is no news
  );
  interruption.on(input.interrupt);

  /** A handler that ends because it was told to has nothing to report. */
  function spent(error: unknown): void {
    if (error !== interruption.error && !(error instanceof Error && error.name === "AbortError")) late(error);
  }

  function answered(): Promise<StreamResponse> {
    return new Promise<StreamResponse>((resolve, reject) => {
      interruption.on(reject);
      if (interruption.error) return;
      next({ ...request, signal: interruption.signal, message: input.iterable } as StreamRequest).then(
        (response) => resolve(response as StreamResponse),
        (error) => {
          if (interruption.error) spent(error);
          reject(error);
        },
      );
    });
  }

  try {
    const response = await answered();
    const messages = response.message[Symbol.asyncIterator]();
    const output = interruptible({ [Symbol.asyncIterator]: () => messages }, read, spent);
    // A handler's `finally` runs: now if it waits in a `yield`, else when its signal has woken it.
    const abandon = async () => messages.return?.();
    interruption.on((error: ConnectError) => {
      output.interrupt(error);
      abandon().catch(spent);
    });
    // Connect may wait for ever to write to a connection that is gone, and would never come back for the rest.
    const left = () => void abandon().catch(() => {});
    if (life.aborted) left();
    else life.addEventListener("abort", left, { once: true });
    return { ...response, message: output.iterable } as StreamResponse;
  } catch (error) {
    read();
    throw error;
  }
}
