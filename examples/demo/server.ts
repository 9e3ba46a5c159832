import { createServer, type Http2ServerRequest, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, createContextKey, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { scenes } from "./scenes/index.js";
import { latest } from "./scenes/resume.js";
import type { Report } from "./server-process.js";

// The demo's server, in a process of its own: an ordinary connect-node server, in which each room is a scene.

const { port, since } = JSON.parse(process.argv[2] ?? "") as { port: number; since: number };
const report = (report: Report) => process.send?.(report);
const log = (text: string) => report({ type: "log", at: Date.now(), text });

const traffic = { connections: 0, calls: 0 };
const connections = new Map<Http2Session | undefined, number>();
const visits = new Map<string, number>();
const streamKey = createContextKey<ServerHttp2Stream | undefined>(undefined);

const handler = connectNodeAdapter({
  contextValues: (request) => createContextValues().set(streamKey, (request as Http2ServerRequest).stream),
  interceptors: [
    (next) => (request) => {
      traffic.calls++;
      return next(request);
    },
  ],
  routes: (router) => {
    router.service(ChatService, {
      subscribe({ room, afterId }, { requestHeader: header, signal, values }) {
        const scene = scenes.find(({ name }) => name === room);
        const stream = values.get(streamKey);
        if (!scene || !stream) throw new ConnectError(`there is no room ${room}`, Code.NotFound);
        const number = (visits.get(room) ?? 0) + 1;
        visits.set(room, number);
        if (!header.has("unlisted")) {
          const after = afterId > 0 ? `, after message ${afterId}` : "";
          log(`stream ${number} comes in on connection ${connections.get(stream.session)}${after}`);
        }
        return scene.serve({ number, afterId, header, signal, stream, since, log });
      },
      say: () => ({ id: latest(since) }),
    });
  },
});

const server = createServer(handler);
server.on("session", (session) => {
  traffic.connections++;
  connections.set(session, traffic.connections);
});
server.listen(port, "127.0.0.1", () => {
  report({ type: "listening", port: (server.address() as AddressInfo).port });
});

process.on("message", () => report({ type: "traffic", traffic }));
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the demo ends us
process.on("disconnect", () => process.exit()); // the demo is gone
