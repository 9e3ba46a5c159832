import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { expect, test, vi } from "vitest";
import { ChatService } from "../../../examples/gen/chat/v1/chat_pb.js";
import { createBouncer } from "../../../src/server/index.js";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { twoThenSilence } from "../../wire/session-at.js";

const own = leaveNothing();

test("a connection that knows no reset, as over a Unix socket, is cut all the same", async () => {
  const bouncer = createBouncer({ identify: () => ({ user: "ann" }) });
  const server = createServer(
    connectNodeAdapter({
      interceptors: [bouncer.interceptor],
      contextValues: bouncer.contextValues,
      routes: (router) => router.service(ChatService, { subscribe: twoThenSilence }),
    }),
  );
  const folder = mkdtempSync(join(tmpdir(), "farewell-unix-"));
  const socketPath = join(folder, "server.sock");
  own({
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true });
    },
  });
  server.listen(socketPath);
  await once(server, "listening");
  const gone = [1, 2].map(() => {
    const headers = { "content-type": "application/connect+json", host: "localhost" };
    const call = httpRequest({ socketPath, path: "/chat.v1.ChatService/Subscribe", method: "POST", headers });
    call.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from("{}")]));
    return new Promise((resolve) => {
      call.on("response", (response) => response.resume().on("error", resolve).on("close", resolve));
      call.on("error", resolve);
    });
  });
  await vi.waitFor(() => expect(bouncer.count()).toBe(2), patience);
  expect(await bouncer.kick({ user: "ann" }, {}, { mode: "abort" })).toMatchObject({ matched: 2, forced: 2 });
  await Promise.all(gone);
  expect(bouncer.count()).toBe(0);
});
