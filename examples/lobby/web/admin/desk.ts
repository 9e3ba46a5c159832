import { type Client, createClient as createPlainClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { createClient, createSession, type FarewellClient, method, type Session } from "farewell";
import { AdminService } from "farewell/admin";
import { browser } from "farewell/browser";
import { LobbyService, TimelineService } from "../../../gen/lobby/v1/lobby_pb.js";

/** All that the staff works with. */
export interface Desk {
  /** Plain clients of the game server: what the staff does is done once, and not again because a connection was lost. */
  readonly admin: Client<typeof AdminService>;
  readonly lobby: Client<typeof LobbyService>;
  /** The supervisor's timeline, over a session: it goes on by itself. */
  readonly timeline: FarewellClient<typeof TimelineService>;
  readonly session: Session;
}

export function openDesk(gameUrl: string, token: string): Desk {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const game = createConnectTransport({ baseUrl: gameUrl, interceptors: [authorize] });
  const supervisor = createConnectTransport({ baseUrl: location.origin, interceptors: [authorize] });
  const session = createSession(supervisor, {
    extensions: [browser({ account: "staff" })],
    policies: { network: { initialMs: 500, maxMs: 5_000 } },
    methods: [
      method(TimelineService.method.watch, {
        endless: true,
        idleTimeoutMs: 15_000,
        resume: (_, last) => ({ afterId: last.id }),
        position: ({ id }) => id,
      }),
    ],
  });
  return {
    admin: createPlainClient(AdminService, game),
    lobby: createPlainClient(LobbyService, game),
    timeline: createClient(TimelineService, session),
    session,
  };
}
