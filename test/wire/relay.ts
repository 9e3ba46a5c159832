import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A path to a server that a test can cut, close and open again. */
export interface Relay {
  readonly url: string;
  /** How many connections were accepted since the start. */
  connections(): number;
  /** From now on, what comes on the connections there are is swallowed, both ways. Nobody is told. */
  swallow(): void;
  /** Sends every client bytes that are of no protocol. */
  spoil(): void;
  /** Ends every connection: by FIN, or by TCP RST. */
  cut(how: "fin" | "tcp-rst"): void;
  /** Leads new connections to another server; those there are stay. */
  lead(url: string): void;
  /** Refuses new connections. */
  bar(): void;
  /** Accepts connections again, on the same port. */
  open(): Promise<void>;
  /** Cuts, and bars; resolves when the last connection is gone. */
  close(): Promise<void>;
}

export async function startRelay(url: string): Promise<Relay> {
  const ends = new Map<Socket, Socket>(); // the client's, and the server's
  let target = new URL(url);
  let connections = 0;
  let server: Server | undefined;
  const listen = async (port: number): Promise<number> => {
    server = createServer({ noDelay: true }, (client) => {
      connections++;
      const upstream = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
      ends.set(client, upstream);
      client.pipe(upstream).pipe(client);
      client
        .on("error", () => {})
        .on("close", () => {
          ends.delete(client);
          upstream.destroy();
        });
      upstream.on("error", () => {}).on("close", () => client.destroy());
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);

  const relay: Relay = {
    url: `http://127.0.0.1:${port}`,
    connections: () => connections,
    swallow: () => {
      for (const [client, upstream] of ends) {
        client.unpipe(upstream).resume();
        upstream.unpipe(client).resume();
      }
    },
    spoil: () => {
      for (const client of ends.keys()) client.write(Buffer.alloc(300, "G"));
    },
    cut: (how) => {
      for (const [client, upstream] of ends) {
        upstream.unpipe(client);
        if (how === "fin") client.destroySoon();
        else client.resetAndDestroy();
      }
    },
    lead: (url) => {
      target = new URL(url);
    },
    bar: () => {
      server?.close();
    },
    open: async () => {
      await listen(port);
    },
    close: async () => {
      server?.close();
      const gone = [...ends.keys()].map((client) => new Promise((resolve) => client.once("close", resolve)));
      for (const client of ends.keys()) client.destroy();
      await Promise.all(gone);
    },
  };
  return relay;
}
