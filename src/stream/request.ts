import {
  clone,
  create,
  type DescMessage,
  type DescMethod,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";

/** A message as it is now: who made it, or gets it, may change it. */
export function copyOf({ input }: DescMethod, message: MessageInitShape<DescMessage>): Message {
  return clone(input, create(input, message));
}
