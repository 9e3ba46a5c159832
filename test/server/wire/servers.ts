import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { ServiceImpl } from "@connectrpc/connect";
import { ChatService } from "../../../examples/gen/chat/v1/chat_pb.js";
import {
  AdminService,
  type Authorize,
  adminService,
  type Bouncer,
  type BouncerOptions,
  ControlStreamService,
  controlStreamService,
  createBouncer,
  type Verdict,
  verdictOf,
} from "../../../src/server/index.js";
import { type ClientName, clients } from "../../wire/clients.js";
import { clock, patience } from "../../wire/leave-nothing.js";
import { over } from "../../wire/session-at.js";
import { type MountName, type MountOptions, mounts } from "./mounts.js";

export type { MountName } from "./mounts.js";

/** Every mount with every client that speaks its version of HTTP. */
export const pairs = (Object.keys(mounts) as MountName[]).flatMap((mount) =>
  (Object.keys(clients) as ClientName[])
    .filter((client) => clients[client].httpVersion === mounts[mount].httpVersion)
    .map((client) => [mount, client] as const),
);

/** A chat server with a bouncer at its door. */
export interface GuardedServer {
  readonly url: string;
  readonly bouncer: Bouncer;
  /** Of each `subscribe` that has run its `finally`, why it had to. */
  readonly handled: readonly (Verdict | undefined)[];
  /** How many requests were received since the start. */
  requests(): number;
  /** How many requests neither side has ended yet. */
  open(): number;
  /** How many bytes wait in this process to be sent. */
  unsent(): number;
  /** Stops to listen, and lets go on who is inside. */
  stop(): void;
  /** Destroys every connection; resolves when the last one is gone. */
  close(): Promise<void>;
}

export interface GuardedServerOptions extends Partial<BouncerOptions> {
  /** What the chat serves, besides a `subscribe` of one message and silence, and a `say`. */
  readonly methods?: Partial<ServiceImpl<typeof ChatService>>;
  /** Who may use the admin service. @default nobody */
  readonly authorize?: Authorize;
}

/** Who calls is said by the headers `user` and `session`. */
export async function startGuardedServer(
  name: MountName,
  { methods, authorize = () => false, ...options }: GuardedServerOptions = {},
): Promise<GuardedServer> {
  const handled: (Verdict | undefined)[] = [];
  const bouncer = createBouncer({
    identify: ({ header }) => ({
      user: header.get("user") ?? undefined,
      session: header.get("session") ?? undefined,
      issuedAt: new Date(0),
    }),
    clock,
    forceAfterMs: patience.timeout, // only who cannot be told at all is cut
    ...options,
  });
  const connect: MountOptions = {
    acceptCompression: [], // big messages are to be big on the wire
    interceptors: [bouncer.interceptor],
    contextValues: bouncer.contextValues,
    routes(router) {
      router.service(ChatService, {
        async *subscribe(_, { signal }) {
          try {
            yield { id: 1 };
            await over(signal);
          } finally {
            handled.push(verdictOf(signal.reason));
          }
        },
        say: () => ({ id: 1 }),
        ...methods,
      });
      router.service(ControlStreamService, controlStreamService(bouncer));
      router.service(AdminService, adminService(bouncer, { authorize }));
    },
  };
  const { server, stop } = await mounts[name].mount(connect, {});
  const sockets = new Set<Socket>();
  const open = new Set<ServerResponse | Http2ServerResponse>();
  let requests = 0;
  server.on("request", (_, response) => {
    requests++;
    open.add(response);
    response.on("close", () => open.delete(response));
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  let closed: Promise<unknown> | undefined;
  const halt = () => {
    if (closed) return;
    closed = once(server, "close");
    void stop();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bouncer,
    handled,
    requests: () => requests,
    open: () => open.size,
    unsent: () => [...open].reduce((sum, response) => sum + unsentOf(response), 0),
    stop: halt,
    async close() {
      halt();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function unsentOf(response: ServerResponse | Http2ServerResponse): number {
  return "stream" in response ? response.stream.writableLength : response.writableLength;
}
