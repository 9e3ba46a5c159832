import { Code, ConnectError } from "@connectrpc/connect";
import type { Identity } from "farewell/server";

/**
 * Who is calling. A demo: whoever says a name has it. In earnest, all of this comes from a signed token, as in
 * ../jwt. The login is the tab's own: with `logins: { max: 1 }`, a second tab or device supersedes the first.
 *
 * @throws ConnectError if the header makes no sense
 */
export function playerOf(header: Headers): Identity {
  const [, name = "", login] = /^Player ([\w%.-]{1,180}):([\w-]{8,100})$/.exec(header.get("authorization") ?? "") ?? [];
  if (login === undefined)
    throw new ConnectError("expected authorization: Player <name>:<login>", Code.Unauthenticated);
  return {
    user: decodeURIComponent(name),
    session: login,
    label: /Mobi/.test(header.get("user-agent") ?? "") ? "a phone" : "a computer",
    tags: [`room:${header.get("lobby-room")}`], // for the staff's list, and so that a room can be put out as a whole
  };
}

/** Whether a caller has the token that was printed at the start. */
export function isStaff(header: Headers, token: string): boolean {
  return header.get("authorization") === `Bearer ${token}`;
}

/** @throws ConnectError if the caller has no token */
export function staffOnly(header: Headers, token: string): void {
  if (!isStaff(header, token)) throw new ConnectError("this is for the staff only", Code.PermissionDenied);
}
