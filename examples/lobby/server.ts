import { subscribe } from "node:diagnostics_channel";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  AdminService,
  adminService,
  channels,
  createBouncer,
  type DrainMessage,
  drainOn,
  identityOf,
  verdictOf,
} from "farewell/server";
import { LobbyService } from "../gen/lobby/v1/lobby_pb.js";
import { audit } from "./audit.js";
import { withCors } from "./cors.js";
import { fileStore } from "./file-store.js";
import { isStaff, playerOf, staffOnly } from "./identity.js";
import { openRoom, type Room } from "./room.js";
import { isRoom, type RoomName, rooms } from "./rooms.js";
import type { FromGame } from "./supervise.js";

// The game server: a process of its own, which main.ts starts, and starts again after each deploy and each crash. What
// has to outlive it is in a folder: what was said, and who is banned.

const { LOBBY_GAME_PORT: port = "0", LOBBY_FOLDER: folder = ".", LOBBY_TOKEN: token = "" } = process.env;
const tell = (message: FromGame) => void process.send?.(message);

const bouncer = createBouncer({
  identify: ({ header }) => (isStaff(header, token) ? { tags: ["staff"] } : playerOf(header)),
  logins: { max: 1 }, // the newest wins
  store: fileStore(join(folder, "bans.json")),
  logger: audit((decision) => tell({ type: "decided", decision })),
});

const open = new Map(rooms.map((name): [RoomName, Room] => [name, openRoom(join(folder, `${name}.jsonl`))]));

const routes = (router: ConnectRouter) => {
  router.service(LobbyService, {
    async *subscribe({ room: name, afterId }, { values, signal }) {
      const room = roomOf(name);
      const player = identityOf(values)?.user ?? "";
      room.enter(player);
      try {
        yield* room.follow(afterId, signal);
      } finally {
        room.leave(player, verdictOf(signal.reason)?.words.reason); // runs however the stream ends
      }
    },
    say({ room, text }, { values }) {
      if (text.trim() === "" || text.length > 500) throw new ConnectError("1 to 500 characters", Code.InvalidArgument);
      roomOf(room).add({ case: "said", value: { player: identityOf(values)?.user ?? "", text } });
      return {};
    },
    // In the stream itself, for these clients have no control stream that `bouncer.announce` could tell.
    announce({ announcement }, { requestHeader }) {
      staffOnly(requestHeader, token);
      if (!announcement) throw new ConnectError("announcement: expected one", Code.InvalidArgument);
      for (const room of open.values()) room.add({ case: "announcement", value: announcement });
      return {};
    },
  });
  router.service(AdminService, adminService(bouncer, { authorize: ({ header }) => isStaff(header, token) && "staff" }));
};

const { interceptor, contextValues } = bouncer;
const server = createServer(withCors(connectNodeAdapter({ routes, interceptors: [interceptor], contextValues })));
server.on("error", ({ message }) => {
  console.error(message);
  process.exit(1);
});
server.listen(Number(port), "127.0.0.1", () => {
  tell({ type: "listening", port: (server.address() as AddressInfo).port });
});

// A deploy: the staff's drain is over, so this process has nothing left to do.
subscribe(channels.drain, (message) => {
  if ((message as DrainMessage).progress.done) leave();
});
drainOn(["SIGTERM"], bouncer, { message: "The lobby closes", onDrained: leave });
process.on("SIGINT", () => {}); // a terminal's Ctrl-C goes to both processes: main.ts says what is to be done
process.once("disconnect", () => process.exit()); // nobody is left to be served for

/** Lets every connection say its last word. */
function leave(): void {
  server.close(() => process.exit());
  setTimeout(() => process.exit(), 1_000); // for those who do not listen
}

function roomOf(name: string): Room {
  const room = isRoom(name) ? open.get(name) : undefined;
  if (!room) throw new ConnectError(`no room ${JSON.stringify(name)}`, Code.NotFound);
  return room;
}
