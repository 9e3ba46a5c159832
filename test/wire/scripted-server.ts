import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type Connection, type Exchange, performOnSocket, play } from "./exchange.js";
import { serveHttp1 } from "./http1.js";
import { type AnswerAt, serveHttp2 } from "./http2.js";
import type { HttpVersion, Protocol, Script } from "./script.js";
import { type Step, stepsOf } from "./steps.js";

export interface ScriptedServerOptions {
  readonly httpVersion: HttpVersion;
  readonly protocol: Protocol;
  /** How calls end. Of several scripts, the first request gets the first, and so on; the last one stays. */
  readonly script: Script | readonly Script[];
  /** HTTP/2 only. @default "request-end" */
  readonly answerAt?: AnswerAt;
}

/** A server that ends every streaming call as a script says, whatever the call's path and content. */
export interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  /** How many connections were accepted since the start. */
  connections(): number;
  /** How many requests were read since the start. */
  requests(): number;
  /** How many requests neither side has ended yet. */
  open(): number;
  /** Replaces the script, from the next request (or, with `on-connect`, the next connection) on. */
  setScript(script: Script | readonly Script[]): void;
  /** Destroys every connection; resolves when the last one is gone. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1. Throws a `TypeError` for a script that the HTTP version cannot play. */
export async function startScriptedServer(options: ScriptedServerOptions): Promise<ScriptedServer> {
  const { httpVersion, protocol, answerAt = "request-end" } = options;
  if (protocol === "grpc" && httpVersion !== "2") throw new TypeError("gRPC needs HTTP/2");
  const sockets = new Map<Socket, Connection | undefined>();
  let acts = actsOf(options.script);
  let connections = 0;
  let requests = 0;

  const server = createServer({ noDelay: true }, (socket) => {
    connections++;
    sockets.set(socket, undefined);
    socket.on("error", () => {}); // a client that resets the connection is part of the play
    socket.on("close", () => sockets.delete(socket));
    const [act] = acts;
    if (act?.script.at === "on-connect") {
      advance();
      void play(act.steps, bareExchange(socket));
    } else if (httpVersion === "2") {
      sockets.set(socket, serveHttp2(socket, answerAt, onRequest));
    } else {
      sockets.set(socket, serveHttp1(socket, onRequest));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    connections: () => connections,
    requests: () => requests,
    open: () => [...sockets.values()].reduce((sum, connection) => sum + (connection?.open() ?? 0), 0),
    setScript: (script) => {
      acts = actsOf(script);
    },
    close: async () => {
      if (!server.listening) return;
      const closed = [server, ...sockets.keys()].map((each) => new Promise((resolve) => each.once("close", resolve)));
      server.close();
      for (const socket of sockets.keys()) socket.destroy();
      await Promise.all(closed);
    },
  };

  function onRequest(exchange: Exchange): void {
    requests++;
    const [act] = acts;
    advance();
    if (act) void play(act.steps, exchange);
  }

  function advance(): void {
    if (acts.length > 1) acts = acts.slice(1);
  }

  function actsOf(script: Script | readonly Script[]): readonly Act[] {
    return [script].flat().map((script) => ({ script, steps: stepsOf(script, protocol, httpVersion) }));
  }
}

/** A script, and what is to be done for it. */
interface Act {
  readonly script: Script;
  readonly steps: readonly Step[];
}

/** For scripts that play before any HTTP. */
function bareExchange(socket: Socket): Exchange {
  const gone = new AbortController();
  socket.on("close", () => gone.abort());
  socket.resume();
  return {
    socket,
    gone: gone.signal,
    perform: (step) => {
      if (step.do === "raw") socket.write(step.bytes);
      if (step.do === "fin" || step.do === "tcp-rst") performOnSocket(socket, step.do);
    },
  };
}
