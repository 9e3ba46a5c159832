import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { nodeTransport } from "../../src/node/index.js";
import { leaveNothing, patience } from "./leave-nothing.js";

const own = leaveNothing();
const pem = readFileSync("test/fixtures/localhost.pem");

test.each(["2", "1.1"] as const)("over TLS, calls go through by HTTP/%s, with Node's options", async (httpVersion) => {
  const say = async () => ({ id: 1 });
  const routes = connectNodeAdapter({ routes: (router) => router.service(ChatService, { say }) });
  const server = own(createSecureServer({ key: pem, cert: pem, allowHTTP1: true }, routes));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const options = { baseUrl: `HTTPS://127.0.0.1:${port}`, nodeOptions: { rejectUnauthorized: false } };
  const transport = own(nodeTransport({ ...options, httpVersion }));
  expect(await createClient(ChatService, transport).say({})).toMatchObject({ id: 1 });
  await vi.waitFor(() => expect(transport.connection.state()).toBe("idle"), patience);
});
