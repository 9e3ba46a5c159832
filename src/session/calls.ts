import { clone, create, type DescMessage, type DescMethodUnary, type MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError, ContextValues, Transport, UnaryResponse } from "@connectrpc/connect";
import { canceledBy } from "../stream/stream.js";
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
  /** Resolves when a call may go out, where one may not now. */
  readonly calm: Promise<void> | undefined;
  /** A call failed with this, in a login. */
  overhear(error: unknown, login: number): void;
}

export function createCalls(host: CallHost): Calls {
  const underway = new Set<(error: ConnectError) => void>();

  function once<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const refused = host.refusal();
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise<UnaryResponse<I, O>>((resolve, reject) => {
      // As they are now: what becomes of them while the call waits, or is on its way, is the caller's own.
      const request = clone(method.input, create(method.input, input));
      const headers = header && new Headers(header);
      const controller = new AbortController();
      const { login } = host;
      const end = (error: ConnectError) => {
        controller.abort();
        reject(error); // without waiting for the transport: an abort can be lost on its way through fetch
      };
      const cancel = () => end(canceledBy(signal));
      const send = async () =>
        host.transport.unary(method, controller.signal, timeoutMs, headers, request, contextValues);
      const sendAfter = async (calm: Promise<void>) => {
        await calm;
        if (controller.signal.aborted) throw controller.signal.reason; // it was canceled just now
        const late = host.refusal();
        if (late !== undefined) throw late;
        return send();
      };
      const settle = () => {
        underway.delete(end);
        signal?.removeEventListener("abort", cancel);
      };
      underway.add(end);
      signal?.addEventListener("abort", cancel);
      if (signal?.aborted) {
        settle();
        return cancel();
      }
      const { calm } = host;
      (calm ? sendAfter(calm) : send())
        .then(resolve, (error) => {
          host.overhear(error, login);
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
      if (!entry) return once(method, signal, timeoutMs, header, input, contextValues);
      const call = { once, method, signal, timeoutMs, header, input, contextValues };
      return entry.retry(call, host) as Promise<UnaryResponse<I, O>>;
    },
    end(error) {
      for (const end of [...underway]) end(error);
    },
  };
}
