import type { Message } from "@bufbuild/protobuf";
import type { StreamResponse } from "@connectrpc/connect";
import type { Evidence } from "../disconnect/classify.js";
import type { Clock } from "../ports/clock.js";
import type { StreamAttempt } from "./attempt.js";
import type { Cursor, Taken } from "./cursor.js";
import { promised } from "./promised.js";
import { createReader } from "./reader.js";
import { createSilence } from "./silence.js";

/** What a stream gives to its caller, over all its attempts. */
export interface Incoming {
  /** Settles with the first successful open. */
  readonly response: Promise<StreamResponse>;
  /** Whether it has settled. */
  readonly settled: boolean;
  /** The last message that the caller got. */
  readonly last: Message | undefined;
  /** An attempt goes out. It is over if nothing is heard of it for too long. */
  started(attempt: StreamAttempt): void;
  /** It has headers. */
  opened(): void;
  /** They are the caller's, the first time; what it waits for is asked for. */
  accept(answer: StreamResponse): void;
  /**
   * A message has come. `undefined`: it is simply the next one.
   *
   * @throws what the app's `position` throws
   */
  take(message: Message): Taken | undefined;
  /** Hands a message on. */
  deliver(result: IteratorYieldResult<Message>): void;
  /** An attempt is over: its trailers, if there are any, are the caller's. */
  ended(evidence: Evidence): void;
  /** No more messages. `error`: what is thrown, once. */
  end(ending: { readonly error?: unknown }): void;
}

/** `ask` asks the attempt for its next message. `left`: the caller reads no further. */
export function createIncoming(
  clock: Clock,
  cursor: Cursor,
  idleTimeoutMs: number | undefined,
  ask: () => void,
  left: () => void,
): Incoming {
  const response = promised<StreamResponse>();
  const trailer = new Headers();
  const reader = createReader(() => {
    silence?.heard();
    ask();
  });
  const silence = createSilence(clock, idleTimeoutMs, () => !response.settled || reader.waits);
  let last: Message | undefined;
  const messages: AsyncIterator<Message> = {
    next: reader.next,
    return: async (value) => {
      left();
      reader.end({}); // the cancellation is the caller's own
      return { done: true, value };
    },
  };
  return {
    response: response.promise,
    get settled() {
      return response.settled;
    },
    get last() {
      return last;
    },
    started(attempt) {
      silence?.heard();
      silence?.watch(attempt.signal, (silent) => attempt.end({ silent }));
    },
    opened() {
      silence?.heard();
      if (response.settled) cursor.reopened?.();
    },
    accept(answer) {
      response.resolve({ ...answer, trailer, message: { [Symbol.asyncIterator]: () => messages } });
      if (reader.waits) ask();
    },
    take(message) {
      silence?.heard();
      const taken = cursor.take?.(message);
      if (!taken?.duplicate) last = message;
      return taken;
    },
    deliver: reader.deliver,
    ended(evidence) {
      if (!("trailer" in evidence)) return;
      for (const name of [...trailer.keys()]) trailer.delete(name);
      evidence.trailer.forEach((value, name) => {
        trailer.append(name, value);
      });
    },
    end(ending) {
      response.reject(ending.error);
      reader.end(ending);
    },
  };
}
