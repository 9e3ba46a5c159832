import { createServer } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createClient, createSession, systemClock } from "farewell";
import { ChatService } from "./chat.mjs";
import { median } from "./figures.mjs";
import { linkTo, protocols } from "./links.mjs";
import { atMost, context, main } from "./report.mjs";

// A server that accepts and cuts the connection after 20 ms: connections of one session in 20 s. The first is that of
// the app itself. Each session has a server of its own, so that each connection is known to be its own.

const spanMs = 20_000;
const upMs = 20;
const sessions = 40;

/** How far a stream comes before it is cut. */
const depths = {
  "after a message": async function* (_, { signal }) {
    yield { id: 1 };
    await sleep(spanMs, undefined, { signal }).catch(() => {}); // cut
  },
  "before an answer": async function* (_, { signal }) {
    await sleep(spanMs, undefined, { signal }).catch(() => {}); // cut
  },
};

/** Resolves with what is to be known at the end of the span. */
async function flap(subscribe, protocol, options) {
  const counted = { connections: 0, calls: 0 };
  const server = createServer(connectNodeAdapter({ routes: (router) => router.service(ChatService, { subscribe }) }));
  server.on("connection", (socket) => {
    counted.connections++;
    socket.on("error", () => {}); // the client was cut while it wrote
    setTimeout(() => socket.resetAndDestroy(), upMs);
  });
  server.on("sessionError", () => {}); // the same
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { transport, connection } = linkTo(`http://127.0.0.1:${server.address().port}`, protocol);
  const counting = {
    ...transport,
    stream(...call) {
      counted.calls++;
      return transport.stream(...call);
    },
  };
  const session = createSession(counting, { connection, ...options });
  read(createClient(ChatService, session));
  await sleep(spanMs);
  const result = { ...counted, state: session.state.status };
  session.close();
  server.close();
  return result;
}

async function read(client) {
  try {
    for await (const _ of client.subscribe({ room: "lobby" }));
  } catch {} // a policy gave up, or the session was closed
}

export async function measure() {
  const [message, answer] = Object.values(depths);
  const groups = [
    { name: "cut after a message", subscribe: message, options: {} },
    { name: "cut before an answer", subscribe: answer, options: {} },
    // Chance at its worst: only the rate limit holds.
    { name: "no jitter drawn", subscribe: message, options: { clock: { ...systemClock, random: () => 0 } } },
    // Only the backoff holds.
    { name: "rateLimit: false", subscribe: message, options: { rateLimit: false } },
  ];
  const results = await Promise.all(
    groups.map(({ subscribe, options }) =>
      Promise.all(
        Array.from({ length: sessions }, (_, index) => flap(subscribe, protocols[index % protocols.length], options)),
      ),
    ),
  );
  return groups.flatMap(({ name, options }, index) => {
    const rowOf = (what) => {
      const values = results[index].map((result) => result[what]);
      const most = Math.max(...values);
      const note = `least ${Math.min(...values)}, median ${median(values)}, of ${sessions} sessions`;
      const text = `flapping server, ${name}: most ${what}`;
      return options.rateLimit === false
        ? context(text, most, undefined, note)
        : atMost(text, most, 8, undefined, note);
    };
    return [rowOf("connections"), rowOf("calls")];
  });
}

await main(import.meta.url, measure);
