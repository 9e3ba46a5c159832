import { clone, create, type DescMessage, type DescMethodUnary, type MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError, ContextValues, Transport, UnaryResponse } from "@connectrpc/connect";
import { createTimer } from "../ports/timer.js";
import { canceledBy, deadlineOf, timedOut } from "../stream/stream.js";
import type { RetriedEntry, RetryHost } from "./retried-entry.js";

/**
 * A session's unary calls: none goes out after a verdict. Each goes out once, as it is, where no entry of the app's says that
 * it may be retried.
 */
export interface Calls {
  readonly unary: Transport["unary"];
  /** Ends all that are on their way. */
  end(error: ConnectError): void;
}

/** The session, as its calls see it. */
export interface CallHost extends RetryHost {
  readonly transport: Transport;
  /** Which calls may be retried. */
  readonly retried: readonly RetriedEntry[];
  /** Resolves when a call may perhaps go out, where one may not now. `own`: it is made to get credentials. */
  wait(own: boolean): Promise<void> | undefined;
  /** A call failed with this, in a login. */
  overhear(error: unknown, login: number): void;
}

export function createCalls(host: CallHost): Calls {
  const underway = new Set<(error: ConnectError) => void>();
  /** `own`: it is made to get credentials. It waits for none, and what is said to it is no verdict on the session. */
  function once<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
    own = false,
  ): Promise<UnaryResponse<I, O>> {
    const refused = host.refusal();
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise<UnaryResponse<I, O>>((resolve, reject) => {
      // As they are now: what becomes of them while the call waits, or is on its way, is the caller's own.
      const request = clone(method.input, create(method.input, input));
      const headers = header && new Headers(header);
      const controller = new AbortController();
      const { login, host: streams } = host;
      const { clock } = streams;
      const deadline = deadlineOf({ timeoutMs }, clock.monotonic());
      const timer = createTimer(clock);
      let leftMs = timeoutMs;
      const end = (error: ConnectError) => {
        settle();
        controller.abort();
        reject(error); // without waiting for the transport: an abort can be lost on its way through fetch
      };
      const cancel = () => end(canceledBy(signal));
      const settle = () => {
        timer.stop();
        underway.delete(end);
        signal?.removeEventListener("abort", cancel);
      };

      const send = async () => {
        for (let wait = host.wait(own); wait; wait = host.wait(own)) {
          // Its time runs on, though the transport has not got it.
          if (deadline !== undefined) timer.start(deadline - clock.monotonic(), () => end(timedOut()));
          await wait;
          timer.stop();
          if (controller.signal.aborted) throw controller.signal.reason; // it was ended just now
          const late = host.refusal();
          if (late !== undefined) throw late;
          if (deadline !== undefined) leftMs = Math.max(1, deadline - clock.monotonic());
        }
        return host.transport.unary(method, controller.signal, leftMs, headers, request, contextValues);
      };
      underway.add(end);
      signal?.addEventListener("abort", cancel);
      if (signal?.aborted) {
        settle();
        return cancel();
      }
      send()
        .then(resolve, (error) => {
          if (!own) host.overhear(error, login);
          reject(error);
        })
        .finally(settle);
    });
  }

  return {
    unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues?: ContextValues,
    ) {
      const entry = host.retried.find(({ covers }) => covers(method));
      const own = host.credentials.isOwn(signal) || (entry !== undefined && !entry.retry);
      if (own || !entry?.retry) return once(method, signal, timeoutMs, header, input, contextValues, own);
      const call = { once, method, signal, timeoutMs, header, input, contextValues };
      return entry.retry(call, host) as Promise<UnaryResponse<I, O>>;
    },
    end(error) {
      for (const end of [...underway]) end(error);
    },
  };
}
