import { Code, createClient } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { patience } from "./leave-nothing.js";
import type { Script } from "./script.js";
import { type ScriptedServer, type ScriptedServerOptions, startScriptedServer } from "./scripted-server.js";
import { watch } from "./watch.js";

// What other tests build on. That each ending is real is shown by classify.test.ts.

const done: Script = { at: "mid-stream", end: { kind: "status", code: 0, message: "" } };
const silence: Script = { at: "mid-stream", end: { kind: "silence" } };
const servers: ScriptedServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: ScriptedServerOptions): Promise<ScriptedServer> {
  const server = await startScriptedServer(options);
  servers.push(server);
  return server;
}

describe.each(Object.keys(clients) as ClientName[])("the scripted server, to %s,", (name) => {
  const client = clients[name];

  test("counts requests, and reuses a connection that a script left whole", async () => {
    const server = await start({ ...client, script: done });
    const link = linkTo(server.url, client);
    for (let requests = 1; requests <= 3; requests++) {
      await watch(link);
      expect(server.requests()).toBe(requests);
    }
    if (client.library === "connect-node") expect(server.connections()).toBe(1); // fetch's pool has rules of its own
  });

  test("plays one script per request, and the last one from then on", async () => {
    const twoFrom = (firstId: number): Script => ({ ...done, firstId, messages: 2, intervalMs: 1 });
    const server = await start({ ...client, script: [twoFrom(1), twoFrom(3)] });
    const link = linkTo(server.url, client);
    expect((await watch(link)).ids).toEqual([1, 2]);
    expect((await watch(link)).ids).toEqual([3, 4]);
    expect((await watch(link)).ids).toEqual([3, 4]);
    server.setScript(done);
    expect((await watch(link)).ids).toEqual([1]);
  });

  test("notices when the client cancels", async () => {
    const server = await start({ ...client, script: silence });
    const { transport } = linkTo(server.url, client);
    const canceled = new AbortController();
    const messages = createClient(ChatService, transport).subscribe({}, { signal: canceled.signal });
    await messages[Symbol.asyncIterator]().next();
    expect(server.open()).toBe(1);
    canceled.abort();
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });

  test("ends the calls that it never answered when it closes", async () => {
    const server = await start({ ...client, script: { at: "before-headers", end: { kind: "silence" } } });
    const ending = watch(linkTo(server.url, client));
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
    await server.close();
    expect((await ending).evidence).toHaveProperty("error");
    expect(server.open()).toBe(0);
  });
});

test("a stream that stays open both ways is answered at its first message", async () => {
  const client = clients["node h2 grpc"];
  const server = await start({ ...client, script: done, answerAt: "first-message" });
  const ended = new AbortController();
  async function* endless() {
    yield { room: "lobby" };
    await new Promise((resolve) => ended.signal.addEventListener("abort", resolve));
  }
  const texts: string[] = [];
  const { transport } = linkTo(server.url, client);
  for await (const { text } of createClient(ChatService, transport).talk(endless())) texts.push(text);
  ended.abort();
  expect(texts).toEqual(["message 1"]);
});

test("unanswered PINGs time out", async () => {
  const client = clients["node h2 grpc"];
  const script: Script = { at: "mid-stream", end: { kind: "silence", pings: "ignored" } };
  const server = await start({ ...client, script });
  const { evidence } = await watch(linkTo(server.url, client, { pingIntervalMs: 20, pingTimeoutMs: 200 }));
  expect(evidence).toMatchObject({ error: { code: Code.Unavailable, rawMessage: "PING timed out" } });
});

test.each<[string, ScriptedServerOptions]>([
  ["RST_STREAM over HTTP/1.1", options("1.1", { at: "mid-stream", end: { kind: "rst", code: 2 } })],
  ["GOAWAY over HTTP/1.1", options("1.1", { at: "mid-stream", end: { kind: "goaway", code: 0, last: "this" } })],
  ["HTTP trailers over HTTP/1.1", options("1.1", { at: "mid-stream", end: { kind: "trailers", fields: { a: "b" } } })],
  ["a status before there is a request", options("2", { at: "on-connect", end: { kind: "clean-end" } })],
  ["a second response", options("2", { at: "mid-stream", end: { kind: "http", status: 502 } })],
  ["gRPC over HTTP/1.1", { protocol: "grpc", httpVersion: "1.1", script: done }],
])("a script that cannot be played is refused: %s", async (_, impossible) => {
  await expect(startScriptedServer(impossible)).rejects.toThrow(TypeError);
});

function options(httpVersion: "1.1" | "2", script: Script): ScriptedServerOptions {
  return { protocol: "connect", httpVersion, script };
}
