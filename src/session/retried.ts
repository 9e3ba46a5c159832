import type { DescMessage, DescMethodUnary } from "@bufbuild/protobuf";
import type { UnaryResponse } from "@connectrpc/connect";
import pRetry from "p-retry";
import { checkRetried, checkRetryOptions } from "#check";
import { methodName } from "../stream/method-name.js";
import { beginCall } from "./retried-call.js";
import type { RetriedEntry } from "./retried-entry.js";
import type { UnaryAttempt } from "./unary-attempts.js";

/** How a unary call is retried. When, is said by the session's policies. */
export interface RetryOptions {
  /** Attempts of one call, the first one included. @default no bound of its own: the policies have theirs */
  readonly maxAttempts?: number;
}

/**
 * Lets the calls of one unary method be retried: only where the server may see a request twice.
 *
 * A call that is lost waits among the session's streams: by the policy for the reason, within the rate limit, not before
 * a time that the server gave, at most for its `timeoutMs`, until a verdict ends it. What is no loss is thrown at once.
 * The request and the headers are those of the call, for all its attempts. While it waits it has the events of a stream.
 *
 * @throws TypeError that names the option
 * @example
 * createSession(transport, { methods: [retried(ChatService.method.say, { maxAttempts: 5 })] });
 */
export function retried<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  options: RetryOptions = {},
): RetriedEntry {
  checkRetried(method, options);
  const name = methodName(method);
  return entryOf("retried()", method, (other) => methodName(other) === name, options);
}

/**
 * Lets the calls of all unary methods be retried whose `idempotency_level` is `NO_SIDE_EFFECTS` or `IDEMPOTENT` in the
 * proto, as {@link retried} does for one. Where a method has an entry of its own, that one counts.
 *
 * @throws TypeError that names the option
 * @example
 * createSession(transport, { methods: [retriedIdempotent()] });
 */
export function retriedIdempotent(options: RetryOptions = {}): RetriedEntry {
  checkRetryOptions("retriedIdempotent()", options);
  return entryOf("retriedIdempotent()", undefined, ({ idempotency }) => idempotency > 0, options); // 0: nothing is known about it
}

function entryOf(
  madeBy: string,
  method: DescMethodUnary | undefined,
  covers: RetriedEntry["covers"],
  { maxAttempts = Number.POSITIVE_INFINITY }: RetryOptions,
): RetriedEntry {
  return { method, madeBy, covers, retry: async (call, host) => retry(await beginCall(call, host, maxAttempts)) };
}

/**
 * Goes from one attempt to the next. When that begins is for the session to say, so the hook does the waiting: p-retry's own
 * delay would be a real timer. The hook also throws what ends the call, so that p-retry judges no error itself: it takes
 * a TypeError for a bug, and some are losses.
 */
function retry(first: UnaryAttempt): Promise<UnaryResponse> {
  let attempt = first;
  return pRetry(() => attempt.answer, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 0,
    onFailedAttempt: async () => {
      attempt = await attempt.next;
    },
  });
}
