import { create, type DescMessage, type DescMethod, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { checkRequest } from "#check";

/** The messages that open an attempt: none the first time, for the caller's own come then. */
export type Requests = (
  first: MessageInitShape<DescMessage> | undefined,
  last: Message | undefined,
) => Iterable<MessageInitShape<DescMessage>>;

/** An app's `resume`, whatever its method's messages are. */
export type Resume = (first: Message, last: Message | undefined) => unknown;

/** The same request again. */
export function sameRequest(method: DescMethod): Requests {
  return (first) => (first === undefined ? [] : [create(method.input, first)]);
}

/** What the app's `resume` makes of the request: for a bidi stream, all messages that open the new one. */
export function resumedRequests(method: DescMethod, resume: Resume): Requests {
  const bidi = method.methodKind === "bidi_streaming";
  return (first, last) => {
    if (first === undefined) return [];
    const request = create(method.input, first);
    if (!bidi && last === undefined) return [request];
    const answer = resume(request, last);
    const messages = (bidi ? [...(answer as Iterable<unknown>)] : [answer]) as MessageInitShape<DescMessage>[];
    for (const message of messages) checkRequest(method, message);
    return messages;
  };
}
