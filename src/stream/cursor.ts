import type { DescMessage, DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { SessionEvents } from "../machine/events.js";
import { copyOf } from "./request.js";

/** What is missing before a message. */
export type Missing = Omit<SessionEvents["streamGap"], "stream">;

/** A message that is not simply the next one. */
export interface Taken {
  readonly missing?: Missing | undefined;
  /** The caller has had it. */
  readonly duplicate: boolean;
}

/** Where one stream stands: what its next attempt asks for, and what a message is after those before it. */
export interface Cursor {
  /** Whether the next attempt asks the server for what was missed. */
  readonly resumes: boolean;
  /**
   * The messages that open an attempt. `first` is the caller's first message, and `last` the last one that it got. None the
   * first time, for the caller's own come then.
   */
  requests(
    first: MessageInitShape<DescMessage> | undefined,
    last: Message | undefined,
  ): Iterable<MessageInitShape<DescMessage>>;
  /** The stream is open again. */
  reopened?(): void;
  /**
   * Takes a message. `undefined`: it is simply the next one.
   *
   * @throws what the app's `position` throws
   */
  take?(message: Message): Taken | undefined;
  /**
   * An attempt has failed for good. Whether the stream is to begin anew, because its position was what was refused.
   *
   * @throws what the app's `restart` throws
   */
  restarts?(error: unknown): boolean;
}

/** The same request again. */
export function sameRequest(method: DescMethod): Cursor {
  return { resumes: false, requests: (first) => (first === undefined ? [] : [copyOf(method, first)]) };
}
