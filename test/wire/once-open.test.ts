import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { classify, method } from "../../src/index.js";
import { certificate } from "../browser/chromium.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { leaveNothing } from "./leave-nothing.js";
import type { End, Script } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { over, read, sessionAt } from "./session-at.js";
import { grpcWebTrailers } from "./status.js";

// What a stream that was open survives, on real sockets; and what is thrown all the same at a first opening.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];
const mid = (end: Script["end"], firstId = 1): Script => ({ at: "mid-stream", firstId, end });
const silence: End = { kind: "silence" };

describe.each(names)("to %s,", (name) => {
  const client = clients[name];
  const page = (status: number): Script => ({ at: "before-headers", end: { kind: "http", status } });

  test.each([403, 404, 410, 413, 425, 501, 505, 507, 511, 200])(
    "a page with HTTP %i in a deploy is not the end of a stream that was open, but of one that was not",
    async (status) => {
      const server = own(await startScriptedServer({ ...client, script: mid({ kind: "fin" }) }));
      const link = linkTo(server.url, client);
      const { session, chat, lines, events } = sessionAt(link);
      own(session);
      server.setScript([mid({ kind: "fin" }), page(status), page(status), mid(silence, 2)]);
      const { ids, error } = await read(2, chat.subscribe({})[Symbol.asyncIterator]());
      expect([ids, error]).toEqual([[1, 2], undefined]);
      const sources = events.flatMap(([type, payload]) => (type === "streamLost" ? [payload] : []));
      expect(sources.slice(1)).toMatchObject(
        Array(2).fill({ disconnect: { reason: "aborted", source: "unknown", said: false } }),
      );
      expect(lines.filter((line) => line.startsWith("reconnected"))).toHaveLength(1);
      server.setScript(page(status));
      const fresh = sessionAt(linkTo(server.url, client));
      own(fresh.session);
      const first = await read(1, fresh.chat.subscribe({})[Symbol.asyncIterator]());
      expect(first.error).toBeInstanceOf(ConnectError);
      expect(fresh.lines.map((line) => line.replace(/:.*/, ""))).toEqual(["streamEnded"]);
    },
  );

  test("a name that cannot be resolved is network", async () => {
    const { chat, session, events } = sessionAt(linkTo("http://no-such-name.invalid:9", client));
    own(session);
    const reading = read(1, chat.subscribe({})[Symbol.asyncIterator]());
    await expect.poll(() => events.filter(([type]) => type === "network").length).toBe(1);
    session.close();
    await reading;
  });
});

describe.each(names.filter((name) => clients[name].protocol !== "connect"))("to %s,", (name) => {
  const client = clients[name];
  const refusal = { "grpc-status": "7", "grpc-message": "bye" };
  const ok = Buffer.from("\x12\x03bye").toString("base64"); // google.rpc.Status { message: "bye" }: its code is 0
  const refused = (fields: Readonly<Record<string, string>>): Script =>
    client.protocol === "grpc"
      ? mid({ kind: "trailers", fields })
      : mid([{ kind: "body", bytes: grpcWebTrailers(fields) }, { kind: "clean-end" }]);
  const kicked = { ...refusal, "farewell-reason": "kicked", "farewell-code": "afk" };
  const endless = [method(ChatService.method.subscribe, { endless: true })];

  test.each([
    ["in trailers, beside details that say OK", refused({ ...kicked, "grpc-status-details-bin": ok })],
    ["in trailers, beside empty details", refused({ ...kicked, "grpc-status-details-bin": "" })],
    [
      "in headers alone",
      { at: "after-headers", headers: { ...kicked, "grpc-status-details-bin": "" }, end: { kind: "clean-end" } },
    ],
  ] as const)("a kick is heard %s", async (_, script) => {
    const server = own(await startScriptedServer({ ...client, script }));
    for (const methods of [endless, []]) {
      const { session, chat, events } = sessionAt(linkTo(server.url, client), { methods });
      own(session);
      const { error } = await read(9, chat.subscribe({})[Symbol.asyncIterator]());
      expect(error).toMatchObject({ code: Code.PermissionDenied });
      expect(session.state).toMatchObject({
        status: "ended",
        disconnect: { reason: "kicked", code: "afk", said: true },
      });
      expect(events.filter(([type]) => type === "streamEnded")).toHaveLength(1);
    }
  });

  test("a refusal without a reason is thrown, and no loop is complete", async () => {
    const script = refused({ ...refusal, "grpc-status-details-bin": ok });
    const server = own(await startScriptedServer({ ...client, script }));
    const { session, chat } = sessionAt(linkTo(server.url, client), { methods: endless });
    own(session);
    const { error } = await read(9, chat.subscribe({})[Symbol.asyncIterator]());
    expect(error).toMatchObject({ code: Code.PermissionDenied, rawMessage: "bye" });
    expect(server.requests()).toBe(1);
  });
});

describe.each(names.filter((name) => clients[name].protocol === "connect"))("to %s,", (name) => {
  test("a message that cannot be parsed, of a proxy that appended its page, is aborted", async () => {
    const client = clients[name];
    const junk = Buffer.concat([Buffer.from([0, 0, 0, 0, 3]), Buffer.from([0x0a, 0x7f, 0x41])]);
    const server = own(await startScriptedServer({ ...client, script: mid(silence) }));
    server.setScript([mid({ kind: "body", bytes: junk }), mid(silence, 2)]);
    const { session, chat, events } = sessionAt(linkTo(server.url, client));
    own(session);
    expect(await read(2, chat.subscribe({})[Symbol.asyncIterator]())).toEqual({ ids: [1, 2] });
    expect(events.find(([type]) => type === "streamLost")?.[1]).toMatchObject({ disconnect: { reason: "aborted" } });
  });
});

describe.each(names.filter((name) => clients[name].httpVersion === "1.1"))("to %s,", (name) => {
  test("garbage after the headers is aborted, and a head over Node's limit no network", async () => {
    const client = clients[name];
    const answers = [
      `HTTP/1.1 200 OK\r\ncontent-type: application/${client.protocol === "connect" ? "connect" : "grpc-web"}+proto\r\ntransfer-encoding: chunked\r\n\r\nno chunk at all\r\n`,
      `HTTP/1.1 200 OK\r\nx-large: ${"x".repeat(40_000)}\r\n\r\n`,
    ];
    const server = own(await startRaw((socket, connection) => socket.write(answers[connection] ?? "")));
    const transport = linkTo(server.url, client).transport;
    const { session, chat, events } = sessionAt({ transport, connection: () => undefined });
    own(session);
    const reading = read(1, chat.subscribe({})[Symbol.asyncIterator]());
    const lost = () => events.flatMap(([type, payload]) => (type === "streamLost" ? [payload] : []));
    await expect.poll(() => lost().length).toBeGreaterThanOrEqual(2);
    session.close();
    await reading;
    expect(lost().slice(0, 2)).toMatchObject(Array(2).fill({ disconnect: { reason: "aborted", source: "unknown" } }));
    const large = own(await startRaw((socket) => socket.write(answers[1] ?? "")));
    const first = sessionAt({ transport: linkTo(large.url, client).transport, connection: () => undefined });
    own(first.session);
    const { error } = await read(1, first.chat.subscribe({})[Symbol.asyncIterator]());
    expect([error instanceof ConnectError, classify({ error })]).toEqual([true, undefined]);
  });
});

describe("over TLS,", () => {
  const alert = (description: number) => Buffer.from([0x15, 3, 3, 0, 2, 2, description]);

  test.each([
    ["TLS alert 80, internal error", alert(80)],
    ["TLS alert 112, unrecognized name", alert(112)],
    ["a web page of HTTP/1.1", Buffer.from("HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\n\r\n<h1>no</h1>")],
  ])("%s is one more attempt to a stream that worked, and thrown at once at a first opening", async (_, bytes) => {
    const server = own(await startTls(bytes));
    const transports = [
      createGrpcTransport({ baseUrl: server.url, nodeOptions: { rejectUnauthorized: false } }),
      createGrpcWebTransport({ baseUrl: server.url, httpVersion: "2", nodeOptions: { rejectUnauthorized: false } }),
      createConnectTransport({ baseUrl: server.url, httpVersion: "2", nodeOptions: { rejectUnauthorized: false } }),
    ];
    for (const transport of transports) {
      server.become("well");
      const { session, chat, events } = sessionAt({ transport, connection: () => undefined });
      own(session);
      const messages = chat.subscribe({})[Symbol.asyncIterator]();
      expect((await read(1, messages)).ids).toEqual([1]);
      server.become("ill");
      const next = read(1, messages);
      const unknown = () =>
        events.filter(([type, payload]) => type === "streamLost" && JSON.stringify(payload).includes('"unknown"'));
      await expect.poll(() => unknown().length).toBeGreaterThan(1);
      expect(events.filter(([type]) => type === "reconnected" || type === "streamEnded")).toEqual([]);
      server.become("well");
      expect(await next).toEqual({ ids: [1] });
      session.close();
    }
    server.become("ill");
    const transport = createGrpcTransport({ baseUrl: server.url, nodeOptions: { rejectUnauthorized: false } });
    const { session, chat, lines } = sessionAt({ transport, connection: () => undefined });
    own(session);
    const { error } = await read(1, chat.subscribe({})[Symbol.asyncIterator]());
    expect(error).toBeInstanceOf(ConnectError);
    expect(lines.map((line) => line.replace(/:.*/, ""))).toEqual(["streamEnded"]);
  });
});

/** A server that answers each connection's first bytes as it is told. */
async function startRaw(answer: (socket: Socket, connection: number) => void) {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.once("data", () => answer(socket, connection));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A chat server over TLS. While it is ill, every connection gets `bytes` in place of a handshake. */
async function startTls(bytes: Uint8Array) {
  const routes = connectNodeAdapter({
    routes: (router) =>
      router.rpc(ChatService.method.subscribe, async function* (_, { signal }) {
        yield { id: 1 };
        await over(signal);
      }),
  });
  const secure = createSecureServer({ key: certificate, cert: certificate }, routes);
  secure.on("sessionError", () => {});
  let ill = false;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    if (ill) socket.end(bytes);
    else secure.emit("connection", socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    become(how: "ill" | "well") {
      ill = how === "ill";
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
