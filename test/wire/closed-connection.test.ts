import { createServer, type Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { clients, linkTo } from "./clients.js";
import { h2 } from "./endings/ending.js";
import { frame, framesIn, frameType, goaway } from "./frames.js";
import { serveHttp2 } from "./http2.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { sessionAt } from "./session-at.js";

// What Kestrel does on SIGTERM: GOAWAY that promises to see the stream through, and then the connection is gone.

const own = leaveNothing();

/** A server that reads requests and answers none. */
async function startMuteServer() {
  const sockets: Socket[] = [];
  let requests = 0;
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serveHttp2(socket, "request-end", () => requests++);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests: () => requests,
    connections: () => sockets.length,
    /** All connections end: what was begun is to be seen through, says the server, and then it is cut. */
    async stop() {
      for (const socket of sockets) {
        const heard = new Promise<void>((resolve) => {
          socket.on("data", (chunk) => {
            if (framesIn(chunk).frames.some(({ type }) => type === frameType.ping)) resolve();
          });
        });
        socket.write(Buffer.concat([goaway(0x7fffffff, 0, ""), frame(frameType.ping, 0, 0, Buffer.alloc(8))]));
        await heard; // the client has read both
        socket.resetAndDestroy();
      }
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test.each(h2)("to %s, a stream without headers whose server has stopped is lost with its connection", async (name) => {
  const server = own(await startMuteServer());
  const { transport, connection } = linkTo(server.url, clients[name]);
  let looksWhileOpen = 0;
  const counted = () => {
    const state = connection();
    if (state === "open") looksWhileOpen++;
    return state;
  };
  const { session, chat, lines } = sessionAt({ transport, connection: counted });
  own(session);
  const messages = chat.subscribe({})[Symbol.asyncIterator]();
  void messages.next().catch(() => {});
  await vi.waitFor(() => expect(looksWhileOpen).toBeGreaterThan(0), patience);
  expect(lines).toEqual([]);
  await server.stop();
  await vi.waitFor(() => expect(lines).toContain("streamLost: 1 network"), patience);
  await vi.waitFor(() => expect([server.requests(), server.connections()]).toEqual([2, 2]), patience); // and asks the next one
});
