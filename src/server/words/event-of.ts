import type { MessageInitShape } from "@bufbuild/protobuf";
import type { OpenResponseSchema } from "../../gen/farewell/v1/control_stream_pb.js";
import { detailOf, duration, localizedOf, messageOf } from "./to-connect-error.js";
import type { Words } from "./words.js";

/** What is said on a control stream. */
export type Event = NonNullable<MessageInitShape<typeof OpenResponseSchema>["event"]>;

/** Words for a control stream: of what is decided, or of what will happen at a time (epoch ms). */
export function eventOf(kind: "notice" | "verdict", words: Words, now: number, at?: number): Event {
  const { message = "", localized } = words;
  const value = {
    disconnect: detailOf(words, now),
    message: messageOf(message),
    ...(localized && { localized: localizedOf(localized) }),
    ...(at !== undefined && { after: duration(Math.max(0, at - now)) }),
  };
  return { case: kind, value };
}
