import { setTimeout as sleep } from "node:timers/promises";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { createBouncer } from "farewell/server";
import { fastify } from "fastify";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { visit } from "./visitor.js";

// A bouncer on fastify.
//
// Run: npm run build:examples && node examples/dist/mounts/fastify.js

const bouncer = createBouncer({ identify: ({ header }) => ({ user: header.get("user") ?? undefined }) });

const server = fastify({ http2: true });
await server.register(fastifyConnectPlugin, {
  routes: (router) => {
    router.rpc(ChatService.method.subscribe, async function* ({ room }, { signal }) {
      yield { id: 1, text: `welcome to the ${room}` };
      await sleep(3_600_000, undefined, { signal });
    });
  },
  interceptors: [bouncer.interceptor],
  contextValues: bouncer.contextValues,
});
const baseUrl = await server.listen({ host: "127.0.0.1", port: 0 });

await visit(baseUrl, "2", async () => {
  const { matched, told } = await bouncer.kick({ user: "ann" }, { code: "afk", message: "Idle for 10 minutes" });
  console.log(`kicked ann: ${matched} stream, ${told} told`);
});
await server.close();
