import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createClient } from "farewell";
import { nodeTransport } from "farewell/node";
import { createBouncer } from "farewell/server";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { metricsOf } from "./adapter.js";

// A bouncer that Prometheus reads. One client comes, is kicked, is banned and knocks again; then /metrics is printed.
//
// Run: npm run build:examples && node examples/dist/metrics/main.js

const bouncer = createBouncer({ identify: () => ({ user: "ann" }) });
const server = createHttp2Server(
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

const metrics = metricsOf(bouncer);
const page = createServer(async (request, response) => {
  if (request.url !== "/metrics") return response.writeHead(404).end();
  const text = await metrics.registry.metrics();
  return response.writeHead(200, { "content-type": metrics.registry.contentType }).end(text);
});

const baseUrl = await listen(server);
const transport = nodeTransport({ baseUrl });
const chat = createClient(ChatService, transport);
await comeIn(() => bouncer.kick({ user: "ann" }, { code: "afk" }));
await bouncer.ban({ user: "ann" }, { message: "Once too often" });
chat.$session.restart();
await comeIn(() => {}); // refused at the door

const answer = await fetch(`${await listen(page)}/metrics`);
console.log(await answer.text());
transport.close();
page.close();
page.closeAllConnections();
server.close();
metrics.close();

/** Resolves when the session is over. */
async function comeIn(inside: () => unknown): Promise<void> {
  try {
    for await (const _ of chat.subscribe({ room: "lobby" })) await inside();
  } catch (error) {
    if (chat.$session.state.status !== "ended") throw error;
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
