import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expressConnectMiddleware } from "@connectrpc/connect-express";
import express from "express";
import { createBouncer } from "farewell/server";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { visit } from "./visitor.js";

// A bouncer on express, which speaks HTTP/1.1.
//
// Run: npm run build:examples && node examples/dist/mounts/express.js

const bouncer = createBouncer({ identify: ({ header }) => ({ user: header.get("user") ?? undefined }) });

const app = express();
app.use(
  expressConnectMiddleware({
    routes: (router) => {
      router.rpc(ChatService.method.subscribe, async function* ({ room }, { signal }) {
        yield { id: 1, text: `welcome to the ${room}` };
        await sleep(3_600_000, undefined, { signal });
      });
    },
    interceptors: [bouncer.interceptor],
    contextValues: bouncer.contextValues,
  }),
);
const server = createServer(app);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;

await visit(`http://127.0.0.1:${port}`, "1.1", async () => {
  const { matched, told } = await bouncer.kick({ user: "ann" }, { code: "afk", message: "Idle for 10 minutes" });
  console.log(`kicked ann: ${matched} stream, ${told} told`);
});
server.close();
