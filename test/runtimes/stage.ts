import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { type Client, clients } from "../wire/clients.js";
import type { Script } from "../wire/script.js";
import { type ScriptedServer, startScriptedServer } from "../wire/scripted-server.js";
import { type Act, acts } from "./acts.js";

// The servers for all runtimes. They are a process of their own, under Node, so that only the client's side differs.
//   POST /start?client=NAME&act=NUMBER   the address of a server that plays the act
//   POST /stop?url=ADDRESS               it is closed

const playing = new Map<string, ScriptedServer>();
const pem = readFileSync("test/fixtures/localhost.pem");
const selfSigned = createSecureServer({ key: pem, cert: pem, allowHTTP1: true });

const stage = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
  const answer = pathname === "/start" ? start(searchParams) : stop(searchParams);
  answer.then(
    (text) => response.end(text),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});
const securePort = await listen(selfSigned);
const port = await listen(stage);
process.on("disconnect", () => process.exit()); // whoever started this is gone
process.send?.(`http://127.0.0.1:${port}`);

async function start(wanted: URLSearchParams): Promise<string> {
  const client = Object.entries(clients).find(([name]) => name === wanted.get("client"))?.[1];
  const act = acts[Number(wanted.get("act"))];
  if (!client || !act) throw new RangeError(`nobody plays ${wanted}`);
  return await addressFor(act, client);
}

async function addressFor({ server }: Act, client: Client): Promise<string> {
  const silence: Script = { at: "before-headers", end: { kind: "silence" } };
  switch (server) {
    case "refused": {
      const nobody = createTcpServer();
      const free = await listen(nobody);
      await new Promise((resolve) => nobody.close(resolve));
      return `http://127.0.0.1:${free}`;
    }
    case "self-signed":
      return `https://127.0.0.1:${securePort}`;
    case "no TLS":
      return (await play(client, silence)).replace("http:", "https:");
    case "another HTTP":
      return await play({ protocol: "connect", httpVersion: client.httpVersion === "2" ? "1.1" : "2" }, silence);
    default:
      return await play(client, server);
  }
}

async function play(client: Pick<Client, "protocol" | "httpVersion">, script: Script): Promise<string> {
  const server = await startScriptedServer({ ...client, script });
  playing.set(new URL(server.url).host, server);
  return server.url;
}

async function stop(wanted: URLSearchParams): Promise<string> {
  const { host } = new URL(wanted.get("url") ?? "");
  await playing.get(host)?.close();
  playing.delete(host);
  return "closed";
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
