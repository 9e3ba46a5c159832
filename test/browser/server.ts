import { once } from "node:events";
import { createServer } from "node:http";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { cors } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createRoom } from "../../examples/chat/room.js";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import {
  type Bouncer,
  type BouncerOptions,
  ControlStreamService,
  controlStreamService,
  createBouncer,
  identityOf,
  toConnectError,
} from "../../src/server/index.js";

export type HttpVersion = "1.1" | "2";

export interface ServerOptions extends Partial<BouncerOptions> {
  /** HTTP/2 is over TLS: browsers speak it in no other way. */
  readonly httpVersion: HttpVersion;
  /** Where to listen. @default a free port */
  readonly port?: number;
  /** What it serves besides the chat: path to content. */
  readonly files: { readonly [path: string]: string };
  /** Certificate and key, as PEM. */
  readonly certificate: string;
}

/** A call that reached the server, whatever came of it. */
export interface Call {
  /** Such as `/chat.v1.ChatService/Subscribe`, or `/token`. */
  readonly path: string;
  /** Epoch ms. */
  readonly at: number;
}

/** A chat server with a bouncer, on 127.0.0.1, which serves the pages that use it as well. */
export interface Server {
  readonly url: string;
  readonly port: number;
  readonly bouncer: Bouncer;
  /** Every call since the start: what a page is made of is not counted, nor what CORS asks first. */
  readonly calls: readonly Call[];
  /** How many subscriptions were asked for since the start. */
  subscriptions(): number;
  /** How many subscriptions are open. */
  open(): number;
  /** What calls get from now on: the chat, nothing at all, or a status of HTTP. @default "chat" */
  answer: "chat" | "silence" | number;
  say(text: string): void;
  /** Puts everybody out whose token is older than now. */
  expire(account: string): Promise<unknown>;
  /** Like `expire`, and gives no new token. */
  signOut(account: string): Promise<unknown>;
  /** Destroys every connection. */
  cut(): void;
  /** Destroys every connection, and refuses new ones. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startServer(options: ServerOptions): Promise<Server> {
  const { httpVersion, port: wanted = 0, files, certificate, ...bouncerOptions } = options;
  const room = createRoom();
  const tokens = new Map<string, number>(); // the oldest that is good, by account
  const signedOut = new Set<string>();
  const calls: Call[] = [];
  const sockets = new Set<Socket>();

  const bouncer = createBouncer({
    identify({ header }) {
      const [, account = "", token] = /^Bearer (.+)\.(\d+)$/.exec(header.get("authorization") ?? "") ?? [];
      if (!(Number(token) >= (tokens.get(account) ?? 0))) {
        throw toConnectError({ reason: "unauthenticated", message: "Sign in" });
      }
      const login = header.get("login") ?? undefined;
      return { user: account, session: login, label: login, issuedAt: new Date() };
    },
    ...bouncerOptions,
  });
  const chat = connectNodeAdapter({
    routes(router) {
      router.service(ChatService, {
        async *subscribe({ afterId }, { signal, values }) {
          const { user } = identityOf(values) ?? {};
          // To everybody, and to the one who comes: connect-node sends no headers before a message.
          const id = room.say(afterId === 0 ? `${user} has joined` : `${user} is back`);
          yield* room.follow(Math.min(afterId, id - 1), signal);
        },
      });
      router.service(ControlStreamService, controlStreamService(bouncer));
    },
    interceptors: [bouncer.interceptor],
    contextValues: bouncer.contextValues,
  });

  const serve = async (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const path = new URL(request.url, "http://localhost").pathname;
    for (const [name, value] of corsHeaders) response.setHeader(name, value);
    const file = files[path];
    if (file !== undefined) {
      if (path === "/sandboxed") response.setHeader("content-security-policy", "sandbox allow-scripts");
      response.setHeader("content-type", path.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8");
      response.end(file);
      return;
    }
    if (request.method !== "POST") {
      response.statusCode = request.method === "OPTIONS" ? 204 : 404;
      response.end();
      return;
    }
    calls.push({ path, at: Date.now() });
    if (server.answer === "silence") return;
    if (server.answer !== "chat") {
      response.statusCode = server.answer;
      response.end();
    } else if (path === "/token") {
      const account = await text(request);
      response.statusCode = signedOut.has(account) ? 403 : 200;
      response.end(String(tokens.get(account) ?? 0));
    } else {
      chat(request, response);
    }
  };

  const [cert, key] = certificate.split(/(?=-----BEGIN PRIVATE KEY)/);
  const listener = httpVersion === "2" ? createSecureServer({ cert, key }, serve) : createServer(serve as never);
  listener.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const listen = async (port: number) => {
    listener.listen(port, "127.0.0.1");
    await once(listener, "listening");
    return (listener.address() as AddressInfo).port;
  };
  const port = await listen(wanted);

  const server: Server = {
    url: `http${httpVersion === "2" ? "s" : ""}://127.0.0.1:${port}`,
    port,
    bouncer,
    calls,
    subscriptions: () => calls.filter(({ path }) => path.endsWith("/Subscribe")).length,
    open: () => bouncer.list().filter(({ method }) => method.endsWith("/Subscribe")).length,
    answer: "chat",
    say: (text) => void room.say(text),
    expire(account) {
      tokens.set(account, (tokens.get(account) ?? 0) + 1);
      return bouncer.expire({ user: account });
    },
    signOut(account) {
      signedOut.add(account);
      return server.expire(account);
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async stop() {
      if (!listener.listening) return;
      const closed = once(listener, "close");
      listener.close();
      server.cut();
      await closed;
    },
    start: async () => void (await listen(port)),
    async close() {
      await server.stop();
      bouncer.close();
    },
  };
  return server;
}

/** Any page may call, as on a server that is made for it. */
const corsHeaders = [
  ["access-control-allow-origin", "*"],
  ["access-control-allow-methods", cors.allowedMethods.join(", ")],
  ["access-control-allow-headers", [...cors.allowedHeaders, "authorization", "login", "farewell-session"].join(", ")],
  ["access-control-expose-headers", cors.exposedHeaders.join(", ")],
  ["access-control-max-age", "7200"],
] as const;
