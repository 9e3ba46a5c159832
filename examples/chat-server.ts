import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { toConnectError } from "farewell/server";
import { ChatService } from "./gen/chat/v1/chat_pb.js";

export interface ChatServer {
  readonly baseUrl: string;
  close(): void;
}

/**
 * A small chat server in this process, so that the examples run by themselves. It is not a good one: it breaks every
 * stream at messages 5 and 10, and at message 20 it falls silent. It sends message 5 twice.
 *
 * @param kickAfter puts the client out after this message, with a reason
 */
export async function startChatServer(kickAfter = Number.POSITIVE_INFINITY): Promise<ChatServer> {
  const routes = connectNodeAdapter({
    routes: (router) => {
      router.rpc(ChatService.method.subscribe, async function* ({ afterId }, { signal }) {
        for (let id = afterId === 5 ? 5 : afterId + 1; !signal.aborted; id++) {
          if (id > kickAfter) throw toConnectError({ reason: "kicked", message: "Idle for 10 minutes" });
          yield { id, text: `message ${id}` };
          if (id > afterId && (id === 5 || id === 10)) throw new ConnectError("something broke", Code.Internal);
          await sleep(id === 20 ? 3_600_000 : 100, undefined, { signal }).catch(() => {}); // the loop looks at the signal
        }
      });
    },
  });
  const server = createServer(routes);
  const connections = new Set<ServerHttp2Session>();
  server.on("session", (connection) => connections.add(connection));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { baseUrl: `http://127.0.0.1:${port}`, close };

  function close(): void {
    server.close();
    for (const connection of connections) connection.destroy();
  }
}
