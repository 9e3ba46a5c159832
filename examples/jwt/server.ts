import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createBouncer } from "farewell/server";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { AuthError, createAuth } from "./auth.js";

/** A server that knows its clients by their tokens: `auth` is its login page, so to speak. */
export async function startServer() {
  const auth = createAuth((user) => bouncer.epoch(user));
  const bouncer = createBouncer({
    async identify({ header }) {
      const token = header.get("authorization")?.replace(/^Bearer /, "") ?? "";
      try {
        return await auth.verify(token); // a Login has all that an Identity needs
      } catch (error) {
        if (error instanceof AuthError) throw new ConnectError(error.message, Code.Unauthenticated);
        throw error;
      }
    },
  });
  const server = createServer(
    connectNodeAdapter({
      routes: (router) => {
        router.rpc(ChatService.method.subscribe, async function* (_, { signal }) {
          yield { id: 1, text: "welcome" };
          await sleep(3_600_000, undefined, { signal });
        });
      },
      interceptors: [bouncer.interceptor],
      contextValues: bouncer.contextValues,
    }),
  );
  const connections = new Set<ServerHttp2Session>();
  server.on("session", (connection) => connections.add(connection));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.close();
    for (const connection of connections) connection.destroy();
  };
  return { auth, bouncer, baseUrl, close };
}
