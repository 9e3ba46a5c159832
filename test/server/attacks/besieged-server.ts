import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ChatService } from "../../../examples/gen/chat/v1/chat_pb.js";
import { systemClock } from "../../../src/ports/clock.js";
import { ControlStreamService, controlStreamService, createBouncer } from "../../../src/server/index.js";
import { listening, type Mounted, type MountOptions, mounts } from "../wire/mounts.js";
import type { Answered, Asked, GateName, Orders, SiegeOptions } from "./orders.js";

// A server with a bouncer in a process of its own, started by siege.ts. The header `user` says who is calling.
// What it does with a subscription is in the room's name: "tick" sends a message every 20 ms, "flood" as many as it can, any other one.

const {
  gate,
  settings = {},
  properties,
  connect,
  bouncer: options,
  clockAheadMs = 0,
} = JSON.parse(process.argv[2] ?? "") as SiegeOptions;

const troubles: string[] = [];
for (const event of ["uncaughtException", "unhandledRejection", "warning"]) {
  process.on(event, (error: Error) => troubles.push(`${event}: ${error.stack ?? error}`));
}
console.error = () => {}; // Connect tells of each stream that is reset under it

const bouncer = createBouncer({
  identify: ({ header }) => ({ user: header.get("user") ?? undefined }),
  clock: { ...systemClock, now: () => Date.now() + clockAheadMs },
  reportError: (error) => troubles.push(`reported: ${error}`),
  ...options,
});

const mountOptions: MountOptions = {
  ...connect,
  interceptors: [bouncer.interceptor],
  contextValues: bouncer.contextValues,
  routes(router) {
    router.service(ChatService, {
      async *subscribe({ room }, { signal }) {
        const payload = new Uint8Array(room === "flood" ? 16_384 : 0);
        const waitMs = room === "tick" ? 20 : 3_600_000;
        for (let id = 1; !signal.aborted; id++) {
          yield { id, payload };
          if (room !== "flood") await sleep(waitMs, undefined, { signal }).catch(() => {}); // the loop looks at the signal
        }
      },
      async upload(texts) {
        let count = 0;
        for await (const _ of texts) count++;
        return { count };
      },
      say: () => ({ id: 1 }),
    });
    router.service(ControlStreamService, controlStreamService(bouncer));
  },
};

const sockets = new Set<Socket>();
const { server } = await mount(gate);
Object.assign(server, properties);
server.on("connection", (socket: Socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});

function mount(gate: GateName): Promise<Mounted> {
  if (gate !== "connect-node h2 tls" && gate !== "connect-node h1 tls")
    return mounts[gate].mount(mountOptions, settings);
  const [cert, key] = readFileSync("test/fixtures/localhost.pem", "utf8").split(/(?=-----BEGIN PRIVATE KEY)/);
  const tls = { ...settings, cert, key };
  const handler = connectNodeAdapter(mountOptions);
  return listening(gate === "connect-node h2 tls" ? createSecureServer(tls, handler) : createHttpsServer(tls, handler));
}

/** In use once a collection frees nothing more: finalizers of one free what the next collects. */
async function bytesInUse(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) return 0;
  let [before, used] = [Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER];
  while (before - used > 1_000) {
    before = used;
    await sleep(50);
    gc();
    const { heapUsed, external } = process.memoryUsage();
    used = Math.min(before, heapUsed + external);
  }
  return used;
}

const orders: { readonly [O in keyof Orders]: (...args: Parameters<Orders[O]>) => unknown } = {
  cpu: () => Object.values(process.cpuUsage()).reduce((sum, us) => sum + us, 0),
  bytes: bytesInUse,
  peak: () => process.resourceUsage().maxRSS * 1_024,
  stats: () => bouncer.stats(),
  connections: () => sockets.size,
  trouble: () => troubles.splice(0),
  kick: (user) => bouncer.kick({ user }, { code: "afk" }),
  stall(ms) {
    const until = performance.now() + ms;
    while (performance.now() < until);
  },
};

process.on("message", async ({ id, order, args }: Asked) => {
  const ask = orders[order] as (...args: readonly unknown[]) => unknown;
  process.send?.({ id, answer: await ask(...args) } satisfies Answered);
});
process.on("disconnect", () => process.exit()); // the tests are gone
process.send?.({ port: (server.address() as AddressInfo).port });
