import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, type Transport, type UnaryResponse } from "@connectrpc/connect";

/** A session's unary calls: each goes out once, as it is, but not after a verdict. */
export interface Calls {
  readonly unary: Transport["unary"];
  /** Ends all that are on their way. */
  end(error: ConnectError): void;
}

/** The session, as its calls see it. */
export interface CallHost {
  readonly transport: Transport;
  /** Resolves when a call may go out, where one may not now. */
  readonly calm: Promise<void> | undefined;
  /** Which login this is: what was said to the one before is no news for it. */
  readonly login: number;
  /** Why no call may go out any more. */
  refusal(): unknown;
  /** A call failed with this, in a login. */
  overhear(error: unknown, login: number): void;
}

export function createCalls(host: CallHost): Calls {
  const underway = new Set<(error: ConnectError) => void>();
  return {
    unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues?: ContextValues,
    ) {
      const refused = host.refusal();
      if (refused !== undefined) return Promise.reject(refused);
      return new Promise<UnaryResponse<I, O>>((resolve, reject) => {
        const controller = new AbortController();
        const { login } = host;
        const end = (error: ConnectError) => {
          controller.abort();
          reject(error); // without waiting for the transport: an abort can be lost on its way through fetch
        };
        const cancel = () => end(ConnectError.from(signal?.reason, Code.Canceled));
        const send = async () =>
          host.transport.unary(method, controller.signal, timeoutMs, header, input, contextValues);
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
    },
    end(error) {
      for (const end of [...underway]) end(error);
    },
  };
}
