import { subscribe } from "node:diagnostics_channel";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  AdminService,
  adminService,
  ControlStreamService,
  channels,
  controlStreamService,
  createBouncer,
  type DrainMessage,
  drainOn,
  identityOf,
  type Report,
  verdictOf,
} from "farewell/server";
import { pino } from "pino";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { createRoom, type Room } from "./room.js";

// A small chat server, with a bouncer at its door. client.ts reads a room; admin.ts puts clients out.
//
// Run: npm run build:examples && node examples/dist/chat/server.js --port 8080
// ADMIN_TOKEN: what admin.ts has to know, by default "letmein". LOG_LEVEL: of the log on stderr, by default "info".

const { values } = parseArgs({ options: { port: { type: "string", default: process.env.PORT ?? "8080" } } });
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(`--port: expected a whole number from 0 to 65535, got ${JSON.stringify(values.port)}`);
  process.exit(2);
}
const { ADMIN_TOKEN: adminToken = "letmein", LOG_LEVEL: level = "info" } = process.env;

const bouncer = createBouncer({
  identify({ header }) {
    const user = userOf(header);
    if (user === undefined) throw new ConnectError("who are you? authorization: Bearer <name>", Code.Unauthenticated);
    return { user, tags: header.get("chat-tags")?.split(",") }; // a demo: in earnest, both come from a signed token
  },
  logger: pino({ level }, pino.destination(2)),
  rateLimits: { perUser: { burst: 20, perMs: 60_000 } },
  admission: { acceptPerSecond: 100, windowMs: 1_000 },
});

const rooms = new Map<string, Room>();
const server = createServer(
  connectNodeAdapter({
    routes(router) {
      router.service(ChatService, {
        async *subscribe({ room: name, afterId }, { values, signal }) {
          const room = roomOf(name);
          const { user } = identityOf(values) ?? {};
          if (afterId === 0) room.say(`${user} has joined`);
          try {
            yield* room.follow(afterId, signal);
          } finally {
            const verdict = verdictOf(signal.reason); // runs however the stream ends
            room.say(verdict ? `${user} was put out: ${verdict.words.reason}` : `${user} has left`);
          }
        },
        say: ({ text }, { requestHeader, values }) => {
          const room = roomOf(requestHeader.get("chat-room") ?? "lobby");
          return { id: room.say(`${identityOf(values)?.user}: ${text}`) };
        },
      });
      router.service(ControlStreamService, controlStreamService(bouncer));
      router.service(AdminService, adminService(bouncer, { authorize: ({ header }) => adminOf(header) }));
    },
    interceptors: [bouncer.interceptor],
    contextValues: bouncer.contextValues,
  }),
);
const connections = new Set<ServerHttp2Session>();
server.on("session", (connection) => {
  connections.add(connection);
  connection.once("close", () => connections.delete(connection));
});
server.listen(port, "127.0.0.1", () => {
  console.log(`chat server at http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

// A server that was drained by an admin has nothing left to do. One that is drained by a signal ends by itself.
subscribe(channels.drain, (message) => {
  const { done, report } = (message as DrainMessage).progress;
  if (done) leave(report);
});
drainOn(["SIGTERM", "SIGINT"], bouncer, { overMs: 2_000, backAfterMs: 5_000, message: "Deploying" });

/** Lets every connection say its last word. */
function leave({ forced, failed }: Report): void {
  process.exitCode = forced + failed > 0 ? 1 : 0;
  server.close();
  for (const connection of connections) connection.close();
  setTimeout(() => process.exit(), 1_000).unref(); // for those who do not listen
}

function roomOf(name: string): Room {
  const room = rooms.get(name) ?? createRoom();
  rooms.set(name, room);
  return room;
}

function userOf(header: Headers): string | undefined {
  return /^Bearer ([\w-]+)$/.exec(header.get("authorization") ?? "")?.[1];
}

function adminOf(header: Headers): string | false {
  if (header.get("authorization") !== `Bearer ${adminToken}`) return false;
  return header.get("admin-name") ?? "admin";
}
