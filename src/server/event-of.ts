import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AttendResponseSchema } from "../gen/farewell/v1/session_pb.js";
import type { Words } from "./store.js";
import { detailOf, duration, localizedOf, messageOf } from "./to-connect-error.js";

/** What is said on a session's companion stream. */
export type Event = NonNullable<MessageInitShape<typeof AttendResponseSchema>["event"]>;

/** Words for a companion: of what is decided, or of what will happen at a time (epoch ms). */
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
