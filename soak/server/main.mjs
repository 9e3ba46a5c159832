import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ControlStreamService, controlStreamService, createBouncer, drainOn, toConnectError } from "farewell/server";
import { ChatService } from "../../bench/chat.mjs";
import { answer, config, note, violation } from "../child.mjs";
import { createChat } from "./chat.mjs";
import { journalStore } from "./journal-store.mjs";
import { ordersOf } from "./orders.mjs";
import { createWatch } from "./watch.mjs";

// A server of the soak, in a process of its own: config says where it keeps its decisions.

const logger = {
  debug() {},
  info: ({ event }, text) => event === "signal" && note(text), // verdicts are noted where they are asked for
  warn: (fields, text) => violation(`${text}: ${JSON.stringify(fields)}`),
  error: (fields, text) => violation(`${text}: ${fields?.err?.stack ?? JSON.stringify(fields)}`),
};

/** A token is what it says: this is no test of signatures. */
function identify({ header }) {
  const token = header.get("x-token");
  if (token === null) return {};
  const { expiresAt, issuedAt, ...who } = JSON.parse(token);
  if (expiresAt !== undefined && expiresAt <= Date.now()) {
    throw toConnectError({ reason: "unauthenticated", message: "the token has ended" });
  }
  return { ...who, issuedAt: new Date(issuedAt), expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt) };
}

const bouncer = createBouncer({
  identify,
  logger,
  store: journalStore(config.store),
  logins: { max: 1 },
  limit: Number.POSITIVE_INFINITY,
  forceAfterMs: 2_000,
  rememberMs: 60_000, // so that what is kept comes to rest within a short soak
  heartbeatMs: 3_000, // on a busy machine a second is nothing
  admission: { windowMs: 1_000 },
});
const { running, implementation } = createChat(bouncer, config.startedAt);
const watch = createWatch(bouncer, running, violation);
const handler = connectNodeAdapter({
  routes(router) {
    router.service(ChatService, implementation);
    router.service(ControlStreamService, controlStreamService(bouncer));
  },
  interceptors: [bouncer.interceptor],
  contextValues: bouncer.contextValues,
});
const connections = new Set();
const servers = { 1: createHttp1Server(handler), 2: createHttp2Server(handler) };

/** The streams of HTTP/2 below all: those that Node has not closed. */
const below = new Set();
servers[2].on("stream", (stream) => {
  below.add(stream);
  stream.once("close", () => below.delete(stream));
});

async function listen(server) {
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return server.address().port;
}

drainOn(["SIGTERM"], bouncer, { overMs: config.drainMs, message: "Deploying" });
answer({
  ...ordersOf(bouncer, watch),
  survey: () => ({ ...watch.survey(), connections: connections.size, below: below.size }),
  close() {
    watch.stop();
    for (const server of Object.values(servers)) server.close();
    for (const socket of connections) socket.destroy();
    bouncer.close();
  },
});
process.send({ ready: { ports: { 1: await listen(servers[1]), 2: await listen(servers[2]) } } });
