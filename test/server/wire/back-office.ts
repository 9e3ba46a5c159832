import { createClient } from "@connectrpc/connect";
import { expect, vi } from "vitest";
import { disconnectOf } from "../../../src/index.js";
import type { Clock } from "../../../src/ports/clock.js";
import { AdminService, type Authorize, memoryStore, type Store } from "../../../src/server/index.js";
import { collect } from "../../in-memory.js";
import type { ClientName } from "../../wire/clients.js";
import { patience, clock as realClock } from "../../wire/leave-nothing.js";
import { linkAs, login, type Own } from "./guest.js";
import { createLog } from "./log.js";
import { startGuardedServer } from "./servers.js";

export const bearer = { authorization: "Bearer s3cret-of-root" };

export const byToken: Authorize = async ({ header }) => header.get("authorization") === bearer.authorization && "root";

interface OfficeOptions {
  /** Who is inside: a session for each. @default ann */
  readonly users?: readonly string[];
  readonly authorize?: Authorize;
  /** What the admin sends. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly store?: Store;
  /** The bouncer's. @default the system's */
  readonly clock?: Clock;
}

/** A server with guests inside, an admin at work, and what was logged and written. */
export async function openOffice(
  own: Own,
  name: ClientName,
  {
    users = ["ann"],
    authorize = byToken,
    headers = bearer,
    store = memoryStore(),
    clock = realClock,
  }: OfficeOptions = {},
) {
  const { logger, lines } = createLog();
  let writes = 0;
  const counting = <A extends unknown[], R>(write: (...args: A) => R) => {
    return (...args: A): R => {
      writes++;
      return write(...args);
    };
  };
  const { record, lift, restrict } = store;
  const counted = { ...store, record: counting(record), lift: counting(lift), restrict: counting(restrict) };
  const server = own(await startGuardedServer("connect-node h2", { authorize, logger, store: counted, clock }));
  const { bouncer } = server;
  /** A guest knocks: it gets in, or its stream ends. */
  const knock = async (user: string, session: string) => {
    const secrets = { authorization: "Bearer guest-token", cookie: "id=oatmeal" };
    const { chat } = login(own, server, name, { headers: { user, session, ...secrets } });
    const { messages, end } = collect(chat.subscribe({}));
    let ended = false;
    end.then(() => (ended = true));
    await vi.waitFor(() => expect(messages.length > 0 || ended).toBe(true), patience);
    return { end: end.then(disconnectOf) };
  };
  const guests: Awaited<ReturnType<typeof knock>>[] = [];
  for (const [number, user] of users.entries()) guests.push(await knock(user, `${user}-${number}`));
  const admin = createClient(AdminService, linkAs(headers, server, name).transport);
  const audit = () => lines.filter(({ fields }) => fields.event === "admin").map(({ fields }) => fields);
  return { server, bouncer, admin, guests, knock, lines, audit, writes: () => writes };
}
