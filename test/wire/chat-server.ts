import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type Settings,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import type { HttpVersion } from "./script.js";

/** A Connect server of this process. */
export interface ChatServer {
  readonly url: string;
  /** How many connections were accepted since the start. */
  connections(): number;
  /** How many requests were received since the start. */
  requests(): number;
  /** How many requests neither side has ended yet. */
  open(): number;
  /** Tells every HTTP/2 connection that it takes no new streams. */
  goaway(code?: number, debug?: string): void;
  /** Destroys every connection; resolves when the last one is gone. */
  close(): Promise<void>;
}

/** Serves the methods given, over all three protocols, on 127.0.0.1. */
export async function startChatServer(
  httpVersion: HttpVersion,
  methods: Partial<ServiceImpl<typeof ChatService>>,
  settings: Settings = {},
): Promise<ChatServer> {
  const answer = connectNodeAdapter({ routes: (router) => router.service(ChatService, methods) });
  const sockets = new Set<Socket>();
  let [connections, requests, open] = [0, 0, 0];
  const serve = (request: IncomingMessage & Http2ServerRequest, response: ServerResponse & Http2ServerResponse) => {
    requests++;
    open++;
    response.on("close", () => open--);
    answer(request, response);
  };
  const server = httpVersion === "2" ? createHttp2Server({ settings }, serve as never) : createServer(serve as never);
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => connections,
    requests: () => requests,
    open: () => open,
    goaway: (code = 0, debug = "") => {
      for (const session of sessions) session.goaway(code, code === 0 ? 2 ** 31 - 1 : 0, Buffer.from(debug));
    },
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
