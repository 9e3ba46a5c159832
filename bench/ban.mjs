import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";
import { createClient, createSession } from "farewell";
import { toConnectError } from "farewell/server";
import { ChatService } from "./chat.mjs";
import { linkTo } from "./links.mjs";
import { exactly, main } from "./report.mjs";

// What reaches a server from a client that it has banned, in 8 s in which the app calls again every 10 ms.

const spanMs = 8_000;
const everyMs = 10;

const transports = {
  "grpc, HTTP/2": { createServer: createHttp2Server, transportTo: (url) => linkTo(url, "grpc").transport },
  "connect, HTTP/2": { createServer: createHttp2Server, transportTo: (url) => linkTo(url, "connect").transport },
  "connect, HTTP/1.1": {
    createServer: createHttp1Server,
    transportTo: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  },
};

/** When the ban is said: in answer to the call, or on a stream that is up. */
const moments = { "at the door": 0, "mid-stream": 100 };

async function ban({ createServer, transportTo }, afterMs) {
  const counted = { connections: 0, requests: 0 };
  const routes = (router) =>
    router.service(ChatService, {
      async *subscribe() {
        if (afterMs > 0) {
          yield { id: 1 };
          await sleep(afterMs);
        }
        throw toConnectError({ reason: "banned", message: "Cheating" });
      },
    });
  const handler = connectNodeAdapter({ routes });
  const server = createServer((request, response) => {
    counted.requests++;
    handler(request, response);
  });
  server.on("connection", () => {
    counted.connections++;
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const session = createSession(transportTo(`http://127.0.0.1:${server.address().port}`));
  const client = createClient(ChatService, session);
  let refusals = 0;
  for (const end = performance.now() + spanMs; performance.now() < end; await sleep(everyMs)) {
    try {
      for await (const _ of client.subscribe({ room: "lobby" }));
    } catch {
      refusals++;
    }
  }
  return { ...counted, refusals };
}

export async function measure() {
  const cases = Object.entries(transports).flatMap(([transport, made]) =>
    Object.entries(moments).map(([moment, afterMs]) => ({ name: `${transport}, ${moment}`, made, afterMs })),
  );
  const results = await Promise.all(cases.map(({ made, afterMs }) => ban(made, afterMs)));
  return results.flatMap(({ connections, requests, refusals }, index) => {
    const note = `the app called ${refusals} times`;
    return [
      exactly(`banned ${cases[index].name}: connections`, connections, 1),
      exactly(`banned ${cases[index].name}: requests`, requests, 1, undefined, note),
    ];
  });
}

await main(import.meta.url, measure);
