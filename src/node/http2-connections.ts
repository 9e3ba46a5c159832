import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { ConnectionState } from "../ports/connection-state.js";
import { type Http2Connection, openConnection, type RequestOptions } from "./http2-connection.js";
import type { Http2Rules, Http2Watcher } from "./http2-life.js";
import { closedError, lost } from "./lost.js";

/** What connect-node asks for connections, and what an app may know of them. */
export interface Http2Connections {
  readonly authority: string;
  request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: RequestOptions,
  ): Promise<ClientHttp2Stream>;
  notifyResponseByteRead(stream: ClientHttp2Stream): void;
  state(): ConnectionState;
  error(): Error | undefined;
  count(): number;
  close(): void;
}

export interface ConnectionsOptions extends Http2Rules {
  readonly maxConnections: number;
}

/** gRPC servers allow a PING in five minutes, unless told otherwise. */
const grpcPingIntervalMs = 300_000;
/** Of a server that hangs up as soon as it has greeted, a call takes so many connections. */
const mostTries = 5;

/**
 * The connections of a transport: one, and more where the server allows no more streams on it. What is dead, stuck or going
 * is left at once, so that the next call goes out on a new one.
 */
export function createConnections({ maxConnections, ...given }: ConnectionsOptions): Http2Connections {
  let pingIntervalMs = given.pingIntervalMs;
  const rules: Http2Rules = {
    ...given,
    get pingIntervalMs() {
      return pingIntervalMs;
    },
  };
  const connections = new Set<Http2Connection>();
  const homes = new WeakMap<ClientHttp2Stream, Http2Connection>();
  let lastError: Error | undefined;
  let closed = false;

  const taking = () => [...connections].filter(({ takes }) => takes);
  const full = () => taking().length >= maxConnections;

  function open(): Http2Connection {
    const watcher: Http2Watcher = {
      spare: () => taking().some((other) => other !== connection),
      tooManyPings() {
        pingIntervalMs = Math.max(2 * pingIntervalMs, grpcPingIntervalMs);
      },
      ended(error) {
        lastError = error;
        connections.delete(connection);
      },
    };
    const connection = openConnection(rules, watcher);
    connections.add(connection);
    return connection;
  }

  /** The oldest one with room, so that the younger ones come to rest. */
  function choose(): Http2Connection {
    const all = taking();
    const found = all.find(({ room }) => room > 0);
    if (found) return found;
    const [least] = all.sort((a, b) => a.load - b.load);
    return least && full() ? least : open();
  }

  async function request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: RequestOptions,
  ): Promise<ClientHttp2Stream> {
    const fields = { ...headers, ":method": method, ":path": path };
    for (let tries = 0; tries < mostTries; ) {
      if (closed) throw closedError();
      const connection = choose();
      const stream = await connection.call(fields, options, full);
      if (stream) {
        homes.set(stream, connection);
        return stream;
      }
      if (!connection.takes) tries++; // else it has just been filled by others
    }
    throw lost(`${mostTries} in a row were closed before the call was sent`);
  }

  return {
    authority: rules.authority,
    request,
    notifyResponseByteRead: (stream) => homes.get(stream)?.heard(),
    state() {
      const states = new Set([...connections].map(({ state }) => state));
      const found = (["open", "verifying", "connecting", "idle"] as const).find((state) => states.has(state));
      return found ?? (lastError ? "error" : "closed");
    },
    error: () => (connections.size === 0 ? lastError : undefined),
    count: () => connections.size,
    close() {
      closed = true;
      for (const connection of connections) connection.end(closedError());
      lastError = undefined;
    },
  };
}
