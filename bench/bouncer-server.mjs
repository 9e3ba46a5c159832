import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createBouncer, toConnectError } from "farewell/server";
import { ChatService } from "./chat.mjs";

// A server with a bouncer in a process of its own, started by bouncer-child.mjs, and the same server without one. What it
// does with a subscription is in the room's name:
//   count/<messages>/<bytes>   sends so many messages, then ends
//   tick/<interval in ms>      sends messages until it is put out
// The header x-user says who is calling; the user "banned" is.

const ban = { code: "cheating", message: "You are banned" };

const bouncer = createBouncer({
  identify: ({ header }) => ({ user: header.get("x-user") ?? undefined }),
  limit: Number.POSITIVE_INFINITY,
});
await bouncer.ban({ user: "banned" }, ban);

async function* subscribe({ room }, { signal }) {
  const [behaviour, first, second] = room.split("/");
  if (behaviour === "count") {
    const payload = new Uint8Array(Number(second));
    for (let id = 1; id <= Number(first); id++) yield { id, text: "hello", payload };
    return;
  }
  for (let id = 1; !signal.aborted; id++) {
    yield { id, text: "tick" };
    await sleep(Number(first), undefined, { signal }).catch(() => {}); // the loop looks at the signal
  }
}

/** What answers, by name: a port each, over HTTP/1.1 and HTTP/2. */
const houses = {
  raw: { subscribe },
  bouncer: { subscribe, interceptors: [bouncer.interceptor], contextValues: bouncer.contextValues },
  "throws toConnectError": {
    // biome-ignore lint/correctness/useYield: it refuses
    async *subscribe() {
      throw toConnectError({ reason: "banned", ...ban });
    },
  },
  "throws a bare ConnectError": {
    // biome-ignore lint/correctness/useYield: it refuses
    async *subscribe() {
      throw new ConnectError("no", Code.PermissionDenied);
    },
  },
};

const sockets = new Set();

async function listen(server) {
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return server.address().port;
}

const ports = {};
for (const [name, { subscribe, ...options }] of Object.entries(houses)) {
  const handler = connectNodeAdapter({ ...options, routes: (router) => router.service(ChatService, { subscribe }) });
  ports[name] = {
    1: await listen(createHttp1Server({ keepAliveTimeout: 0 }, handler)),
    2: await listen(createHttp2Server(handler)),
  };
}

const now = () => String(process.hrtime.bigint());

const orders = {
  /** Microseconds of processor time so far. */
  cpu: () => Object.values(process.cpuUsage()).reduce((sum, us) => sum + us, 0),
  count: () => bouncer.count(),
  /** The time at which it began travels as the app's own code. */
  kick: ({ user }) => bouncer.kick({ user }, { code: now() }),
  async kickAll() {
    const at = now();
    return { at, ...(await bouncer.kick({ all: true }, { code: at })) };
  },
  destroyAll() {
    const at = now();
    for (const socket of [...sockets]) socket.destroy();
    return { at };
  },
};

process.on("message", async ({ id, order, ...args }) => process.send({ id, answer: await orders[order](args) }));
process.on("disconnect", () => process.exit());
process.send({ ports });
