import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createClient as createConnectClient } from "@connectrpc/connect";
import { createClient, createSession, method } from "farewell";
import { ChatService } from "./chat.mjs";
import { answerOf, startServer } from "./child.mjs";
import { round } from "./figures.mjs";
import { heapUsed } from "./heap.mjs";
import { linkTo } from "./links.mjs";
import { atMost, context, main } from "./report.mjs";

// Heap held per open stream, and heap after a million messages. Each way of calling has a process of its own, so that
// none inherits another's garbage. The server is in yet another one.

const followed = method(ChatService.method.subscribe, {
  position: (message) => message.id,
  resume: (request, last) => ({ ...request, afterId: last.id }),
  idleTimeoutMs: 600_000,
});

/** For each way of calling, a function that gives the client of one more stream. */
const ways = {
  raw: (transport) => {
    const client = createConnectClient(ChatService, transport);
    return () => client;
  },
  "on one session": (transport) => {
    const client = createClient(ChatService, createSession(transport));
    return () => client;
  },
  "on one session, position + resume + idleTimeoutMs": (transport) => {
    const client = createClient(ChatService, createSession(transport, { methods: [followed] }));
    return () => client;
  },
  "each on its own session": (transport) => () => createClient(ChatService, createSession(transport)),
};

/** Bytes per stream: the slope between 1,000 and 2,000 streams that have had a message and wait for the next. */
async function perStream(way, url) {
  const clientOf = ways[way](linkTo(url, "grpc").transport);
  const streams = [];
  const used = [];
  for (const count of [1_000, 2_000]) {
    while (streams.length < count) {
      const stream = clientOf().subscribe({ room: "wait" })[Symbol.asyncIterator]();
      await stream.next();
      streams.push({ stream, pending: stream.next().catch(() => {}) });
    }
    used.push(await heapUsed());
  }
  return (used[1] - used[0]) / 1_000;
}

/** What the heap has grown by between 100,000 messages on one stream and 1,000,000. */
async function growth(way, url) {
  const client = ways[way](linkTo(url, "grpc").transport)();
  let read = 0;
  let early = 0;
  for await (const _ of client.subscribe({ room: "count/1000001/0" })) {
    read++;
    if (read === 100_000) early = await heapUsed();
    if (read === 1_000_000) return (await heapUsed()) - early;
  }
}

const tasks = { perStream, growth };

async function apart(task, way, url) {
  const child = fork(fileURLToPath(import.meta.url), [task, way, url], { execArgv: ["--expose-gc"] });
  const [bytes] = await answerOf(child);
  return bytes;
}

export async function measure() {
  const server = await startServer();
  const rows = [];
  const raw = await apart("perStream", "raw", server.url);
  rows.push(context("heap per open stream: raw", Math.round(raw), "bytes"));
  for (const way of Object.keys(ways).slice(1)) {
    const more = (await apart("perStream", way, server.url)) - raw;
    rows.push(context(`heap per open stream: ${way}`, Math.round(more), "bytes more", `× ${round(1 + more / raw, 2)}`));
  }
  for (const way of Object.keys(ways).slice(0, 3)) {
    const kB = round((await apart("growth", way, server.floodUrl)) / 1_000, 1);
    const name = `heap growth from 100,000 messages to 1,000,000: ${way === "raw" ? way : way.replace("on ", "")}`;
    rows.push(way === "raw" ? context(name, kB, "kB") : atMost(name, kB, 100, "kB", "0.1 bytes per message"));
  }
  await server.kill();
  return rows;
}

const [, , task, way, url] = process.argv;
if (task in tasks) process.send(await tasks[task](way, url), () => process.exit());
else await main(import.meta.url, measure);
