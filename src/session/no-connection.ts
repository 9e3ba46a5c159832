import type { Transport } from "@connectrpc/connect";
import type { Connection } from "./connection.js";

/** What "#connection" is in a browser: there is none to look at. */
export function connectionOf(transport: Transport): Connection {
  return { transport, look: () => undefined };
}
