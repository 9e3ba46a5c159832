// What an app of somebody else's writes, in small: every way into the package, with its types. It is type-checked here
// against the sources, and by scripts/try-package.mjs against the packed tarball.
import { createClient, createSession, type Disconnect, disconnectOf, type Session } from "farewell";
import { AdminService } from "farewell/admin";
import { browser } from "farewell/browser";
import { nodeTransport } from "farewell/node";
import { useSession } from "farewell/react";
import { createBouncer, memoryStore, toConnectError } from "farewell/server";
import { createFakeClock } from "farewell/testing";

const transport = nodeTransport({ baseUrl: "http://127.0.0.1:1" });

export const session: Session = createSession(transport, { clock: createFakeClock() });
export const desk = createClient(AdminService, session);
export const bouncer = createBouncer({ store: memoryStore(), identify: () => undefined });
export const kicked = toConnectError({ reason: "kicked", message: "Idle for 10 minutes" });
export const parts = [browser, useSession];

export function tell(error: unknown): string {
  const disconnect: Disconnect | undefined = disconnectOf(error);
  return disconnect?.reason ?? "nothing that the server said";
}

// @ts-expect-error types that have been lost would let this pass
createSession(42);
