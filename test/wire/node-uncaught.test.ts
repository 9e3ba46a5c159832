import { spawn } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Stream, constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createConnections } from "../../src/node/http2-connections.js";
import { createFakeClock } from "../../src/testing/index.js";
import { startChatServer } from "./chat-server.js";
import { sinceConnect23 } from "./connect-version.js";
import { leaveNothing } from "./leave-nothing.js";
import { ourLinkTo } from "./our-links.js";
import { startRelay } from "./relay.js";
import { over } from "./session-at.js";

// Errors of a connection that come after its end: connect-node before 2.3 lets them end the process (connectrpc/connect-es#1768).

const own = leaveNothing(); // fails for each error that nobody has caught

const methods = {
  say: async () => ({ id: 1 }),
  async *subscribe(_: unknown, { signal }: { readonly signal: AbortSignal }) {
    yield { id: 1 };
    await over(signal);
  },
};
const json = { "content-type": "application/json" };
const rules = {
  nodeOptions: undefined,
  connectTimeoutMs: 20_000,
  pingIntervalMs: 30_000,
  pingTimeoutMs: 15_000,
  pingIdleConnection: false,
  idleConnectionTimeoutMs: 900_000,
  maxConnections: 10,
};

/** A call of connect-node's own in the very tick in which GOAWAY has come, and nothing else: in a process of its own. */
const program = `
import { Http2SessionManager } from "@connectrpc/connect-node";
const manager = new Http2SessionManager(process.argv[2]);
const stream = await manager.request("POST", "/chat.v1.ChatService/Say", { "content-type": "application/json" }, {});
stream.end("{}").resume().on("error", () => {});
stream.session.on("goaway", () => manager.connect()).on("close", () => setImmediate(() => process.exit(0)));
stream.on("close", () => console.log("idle"));
setInterval(() => {}, 1_000);
`;

test("a call that is made as GOAWAY comes ends the process with connect-node before 2.3", async () => {
  const server = own(await startChatServer("2", methods));
  const child = spawn(process.execPath, ["--input-type=module", "-", server.url], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  });
  own({ close: () => void child.kill("SIGKILL") });
  child.stdin.end(program);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  server.goaway();
  const [code] = await exited;
  expect([code !== 0, /received GOAWAY without any open streams/.test(said)]).toEqual([
    !sinceConnect23,
    !sinceConnect23,
  ]);
});

test("a call that is made as GOAWAY comes goes out on a new connection of farewell/node", async () => {
  const server = own(await startChatServer("2", methods));
  const connections = own(createConnections({ ...rules, authority: server.url, clock: createFakeClock() }));
  const say = async () => {
    const stream = await connections.request("POST", "/chat.v1.ChatService/Say", json, {});
    stream.end("{}").resume();
    return stream;
  };
  const first = await say();
  const { session } = first;
  await once(first, "close");
  const second = new Promise<ClientHttp2Stream>((resolve) => {
    session?.on("goaway", () => resolve(say()));
  });
  server.goaway();
  const stream = await second;
  const [headers] = await once(stream, "response");
  expect([headers[":status"], server.connections()]).toEqual([200, 2]);
  await once(stream, "close");
});

test("a call that is made as a PING has had no answer goes out on a new connection of farewell/node", async () => {
  const server = own(await startChatServer("2", methods));
  const relay = own(await startRelay(server.url));
  const link = own(ourLinkTo(relay.url, "h2 connect"));
  const chat = createClient(ChatService, link.transport);
  const messages = chat.subscribe({})[Symbol.asyncIterator]();
  await messages.next();
  relay.swallow();
  const said = messages.next().catch(() => chat.say({}));
  await link.clock.advance(45_000);
  expect(await said).toMatchObject({ id: 1 });
});

test("what a server pushes is refused, and ends no process when the connection is cut", async () => {
  const server = own(createServer());
  const pushed = new Promise<number>((resolve) => {
    server.on("stream", (stream) => {
      stream.pushStream({ ":path": "/pushed" }, (_, push) => {
        push.on("error", () => {}).on("close", () => resolve(push.rstCode ?? 0));
        push.respond();
        push.write("news");
        stream.respond();
        stream.end("{}");
      });
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const authority = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connections = own(createConnections({ ...rules, authority, clock: createFakeClock() }));
  const stream = await connections.request("POST", "/chat.v1.ChatService/Say", json, {});
  stream.end("{}").resume();
  await once(stream, "close");
  expect(await pushed).toBe(constants.NGHTTP2_REFUSED_STREAM);
  connections.close();
});
