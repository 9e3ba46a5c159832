import type { Interceptor } from "@connectrpc/connect";
import { expect, vi } from "vitest";
import type { SessionOptions } from "../../../src/index.js";
import { collect } from "../../in-memory.js";
import { type ClientName, clients, linkTo } from "../../wire/clients.js";
import { patience } from "../../wire/leave-nothing.js";
import { sessionAt, soon } from "../../wire/session-at.js";
import { type GuardedServer, type GuardedServerOptions, type MountName, startGuardedServer } from "./servers.js";

export type Own = <T extends { close(): unknown }>(thing: T) => T;

/** Comes back at once where it has to find out why, and not where it was told when. */
export const policies = {
  maintenance: "stop",
  throttled: "stop",
  unauthenticated: soon,
  aborted: soon,
  network: soon,
} as const;

/** What a call says of who makes it. */
type Headers = Readonly<Record<string, string>>;

export const ann: Headers = { user: "ann", session: "s1" };

/** A transport over which every call says the same of who makes it. */
export function linkAs(headers: Headers, { url }: Pick<GuardedServer, "url">, name: ClientName) {
  const introduced: Interceptor = (next) => (request) => {
    for (const [field, value] of Object.entries(headers)) request.header.set(field, value);
    return next(request);
  };
  return linkTo(url, clients[name], { interceptors: [introduced] });
}

/** A session of ann's, or of somebody else's. */
export function login(
  own: Own,
  server: Pick<GuardedServer, "url">,
  name: ClientName,
  { headers = ann, ...options }: SessionOptions & { readonly headers?: Headers } = {},
) {
  const told = sessionAt(linkAs(headers, server, name), { policies, ...options });
  own(told.session);
  return told;
}

/** A server, and ann inside, reading. */
export async function annInside(
  own: Own,
  mount: MountName,
  name: ClientName,
  { session, ...options }: GuardedServerOptions & { readonly session?: SessionOptions } = {},
) {
  const server = own(await startGuardedServer(mount, options));
  const told = login(own, server, name, session);
  const { messages, end } = collect(told.chat.subscribe({}));
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), patience);
  return { server, bouncer: server.bouncer, messages, end, ...told };
}

/** Neither side holds anything of it any more. */
export async function nobodyLeft({ open, bouncer }: GuardedServer): Promise<void> {
  await vi.waitFor(() => expect(open()).toBe(0), patience);
  expect(bouncer.stats().inside).toEqual({ streams: 0, users: 0, sessions: 0 });
}
