import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { TimelineService } from "../gen/lobby/v1/lobby_pb.js";
import { staticFiles } from "./static-files.js";
import { type GameEvent, supervise } from "./supervise.js";
import { createTimeline } from "./timeline.js";

// The supervisor: it serves the pages and the timeline, and sees to it that there is a game server. It stays when that
// one goes, as a CDN and a monitoring would.
//
// Run: npm run lobby
// LOBBY_PORT: of the pages, by default 8090; the game server has the next one. 0: any that are free.
// LOBBY_TOKEN: what the staff has to know, by default a random one. LOBBY_DOWN_MS: how long a restart takes.

const { LOBBY_PORT = "8090", LOBBY_TOKEN: token = randomUUID(), LOBBY_DOWN_MS = "4000" } = process.env;
const port = Number(LOBBY_PORT);
if (!Number.isInteger(port) || port < 0 || port > 65_534) {
  console.error(`LOBBY_PORT: expected a whole number from 0 to 65534, got ${JSON.stringify(LOBBY_PORT)}`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "farewell-lobby-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

let gameUrl: string | undefined;
const timeline = createTimeline(token, () => game.crash());
const game = supervise(
  { LOBBY_GAME_PORT: port === 0 ? "0" : String(port + 1), LOBBY_FOLDER: folder, LOBBY_TOKEN: token },
  Number(LOBBY_DOWN_MS),
  (event) => {
    timeline.note(event);
    if (gameUrl === undefined) begin(event);
  },
);

/** The first game server listens, so that the pages know where, or it could not be started. */
function begin(event: GameEvent): void {
  if (event.type !== "listening") {
    console.error("The game server did not start. Another port: LOBBY_PORT=9000 npm run lobby");
    process.exit(1);
  }
  gameUrl = `http://127.0.0.1:${event.port}`;
  server.listen(port, "127.0.0.1", () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    console.log(`players  ${url}/`);
    console.log(`staff    ${url}/admin#${token}`);
    console.log("Open the first in several tabs, each with a name of its own, and the second beside them.");
  });
}

const pages = staticFiles(fileURLToPath(new URL("./web", import.meta.url)));
const timelineCalls = connectNodeAdapter({ routes: (router) => router.service(TimelineService, timeline.service) });
const server = createServer((request, response) => {
  const { url = "/" } = request;
  if (url.startsWith(`/${TimelineService.typeName}/`)) timelineCalls(request, response);
  else if (url === "/config.json") response.end(JSON.stringify({ gameUrl }));
  else pages(url, response);
});
server.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await game.close();
    process.exit();
  });
}
