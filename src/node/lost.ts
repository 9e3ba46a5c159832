import { Code, ConnectError } from "@connectrpc/connect";

// What calls end with. Unavailable: nobody has answered, and the path has failed.

export function lost(why: string): ConnectError {
  return new ConnectError(`the connection was lost: ${why}`, Code.Unavailable);
}

/** The stream alone was ended, without an error and without an answer. These are Connect's words for it, since 2.3. */
export function unanswered(): ConnectError {
  const text = "http/2 stream closed with error code NO_ERROR (0x0) before the response was received";
  return new ConnectError(text, Code.Internal);
}

/** After `close()`. No disconnect: a session does not send it again. */
export function closedError(): ConnectError {
  return new ConnectError("the transport is closed", Code.FailedPrecondition);
}
