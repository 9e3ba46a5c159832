import { Code, ConnectError } from "@connectrpc/connect";

/** What calls and streams end with when their session is closed. */
export function closedError(): ConnectError {
  return new ConnectError("the session is closed", Code.Canceled);
}
