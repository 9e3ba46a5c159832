import { Code, ConnectError, createClient as createConnectClient, type Interceptor } from "@connectrpc/connect";
import { type BuiltInReason, createClient, createSession, disconnectOf, type Session } from "farewell";
import { nodeTransport } from "farewell/node";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { narrate } from "./narrate.js";
import type { Protocol } from "./protocols.js";
import type { Scene, Stage } from "./scene.js";
import type { ServerProcess } from "./server-process.js";
import type { Timeline } from "./timeline.js";

/** How a scene went. */
export interface Result {
  readonly title: string;
  /** The reasons that its sessions understood, in their order. */
  readonly understood: readonly BuiltInReason[];
  readonly decision: string;
  /** What was not as it should be. */
  readonly failure: string | undefined;
}

/** Plays a scene against the server. */
export async function play(
  { title, play }: Scene,
  server: ServerProcess,
  protocol: Protocol,
  timeline: Timeline,
): Promise<Result> {
  const understood = new Set<BuiltInReason>();
  const sessions: Session[] = [];
  const before = await server.traffic();
  const stage: Stage = {
    server,
    connect(options = {}, as = "client", interceptors = []) {
      const session = createSession(nodeTransport({ baseUrl: server.url, protocol, interceptors }), options);
      narrate(
        session,
        (text) => timeline.line(as, text),
        ({ reason }) => understood.add(reason),
      );
      sessions.push(session);
      return createClient(ChatService, session);
    },
    bare() {
      const unlisted: Interceptor = (next) => (request) => {
        request.header.set("unlisted", "yes");
        return next(request);
      };
      return createConnectClient(
        ChatService,
        nodeTransport({ baseUrl: server.url, protocol, interceptors: [unlisted] }),
      );
    },
    async read(stream, enough = () => false) {
      const ids: number[] = [];
      try {
        for await (const { id } of stream) {
          ids.push(id);
          if (enough(ids)) break;
        }
        return { ids, end: undefined };
      } catch (error) {
        const end = disconnectOf(error);
        if (!end && !closed(error)) throw error;
        return { ids, end };
      }
    },
    async traffic() {
      const { connections, calls } = await server.traffic();
      return { connections: connections - before.connections, calls: calls - before.calls };
    },
    log: (text) => timeline.line("client", text),
  };
  try {
    return { title, decision: await play(stage), understood: [...understood], failure: undefined };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { title, decision: "", understood: [...understood], failure };
  } finally {
    for (const session of sessions) session.close();
    await timeline.settle();
  }
}

function closed(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Canceled;
}
