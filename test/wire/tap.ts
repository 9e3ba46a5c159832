import type { DescMessage, DescMethodStreaming, MessageInitShape } from "@bufbuild/protobuf";
import type { StreamResponse, Transport } from "@connectrpc/connect";

/** One call on a transport, as its caller sees it. */
export interface Attempt {
  /** What the transport has read of the input. */
  readonly sent: MessageInitShape<DescMessage>[];
  /** What the call threw, sooner or later. */
  error: unknown;
}

/** Puts itself before a transport and notes its streams. `onSend` is told before a message leaves. */
export function tap(
  transport: Transport,
  onSend: (message: never, attempt: number) => void = () => {},
): { readonly transport: Transport; readonly attempts: readonly Attempt[] } {
  const attempts: Attempt[] = [];
  const stream = async (...args: Parameters<Transport["stream"]>): Promise<StreamResponse> => {
    const [method, signal, timeoutMs, header, input, contextValues] = args;
    const attempt: Attempt = { sent: [], error: undefined };
    const number = attempts.push(attempt);
    const noted = async <T>(promise: Promise<T>): Promise<T> => {
      try {
        return await promise;
      } catch (error) {
        attempt.error = error;
        throw error;
      }
    };
    const sending = each(input, (message) => {
      attempt.sent.push(message);
      onSend(message as never, number);
    });
    const response = await noted(
      transport.stream(method as DescMethodStreaming, signal, timeoutMs, header, sending, contextValues),
    );
    const messages = response.message[Symbol.asyncIterator]();
    return { ...response, message: { [Symbol.asyncIterator]: () => ({ next: () => noted(messages.next()) }) } };
  };
  return { transport: { unary: transport.unary.bind(transport), stream: stream as Transport["stream"] }, attempts };
}

function each<T>(input: AsyncIterable<T>, note: (message: T) => void): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = input[Symbol.asyncIterator]();
      return {
        ...iterator,
        next: async () => {
          const result = await iterator.next();
          if (!result.done) note(result.value);
          return result;
        },
      };
    },
  };
}
