import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { Server } from "node:net";
import type { ConnectRouterOptions } from "@connectrpc/connect";
import { expressConnectMiddleware } from "@connectrpc/connect-express";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from "@connectrpc/connect-node";
import express from "express";
import { fastify } from "fastify";
import type { Bouncer } from "../../../src/server/index.js";
import type { HttpVersion } from "../../wire/script.js";

export type MountOptions = ConnectRouterOptions &
  Pick<ConnectNodeAdapterOptions, "routes"> &
  Pick<Bouncer, "contextValues">;

/** A server that listens on 127.0.0.1, and what stops it from listening. */
export interface Mounted {
  readonly server: Server;
  stop(): unknown;
}

/** Every way to mount Connect on Node. */
export const mounts = {
  "connect-node h2": {
    httpVersion: "2",
    mount: (options, settings) => listening(createHttp2Server(settings, connectNodeAdapter(options))),
  },
  "connect-node h1": {
    httpVersion: "1.1",
    mount: (options, settings) => listening(createServer(settings, connectNodeAdapter(options))),
  },
  "fastify h2": {
    httpVersion: "2",
    async mount(options, settings) {
      const app = fastify({ ...settings, http2: true });
      await app.register(fastifyConnectPlugin, options);
      await app.listen({ host: "127.0.0.1", port: 0 });
      return { server: app.server, stop: () => app.close() };
    },
  },
  "fastify h1": {
    httpVersion: "1.1",
    async mount(options, settings) {
      const app = fastify(settings);
      await app.register(fastifyConnectPlugin, options);
      await app.listen({ host: "127.0.0.1", port: 0 });
      return { server: app.server, stop: () => app.close() };
    },
  },
  "express h1": {
    httpVersion: "1.1",
    mount: (options, settings) =>
      listening(createServer(settings, express().use(expressConnectMiddleware(options)) as RequestListener)),
  },
} as const satisfies {
  readonly [name: string]: {
    readonly httpVersion: HttpVersion;
    mount(options: MountOptions, settings: object): Promise<Mounted>;
  };
};

export type MountName = keyof typeof mounts;

export async function listening(server: Server): Promise<Mounted> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, stop: () => server.close() };
}
