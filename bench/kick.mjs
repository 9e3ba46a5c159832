import { setTimeout as sleep } from "node:timers/promises";
import { createClient as createConnectClient } from "@connectrpc/connect";
import { createClient, createSession } from "farewell";
import { ChatService } from "./chat.mjs";
import { startServer } from "./child.mjs";
import { quantile, round } from "./figures.mjs";
import { linkTo, protocols } from "./links.mjs";
import { atMost, context, main } from "./report.mjs";

// From the server's throw to `onKicked`, on loopback, while 1,000 streams are live. The server is a process of its own;
// the time of the throw travels in the kick, and both processes read the same monotonic clock.

const live = 1_000;
const kicks = 500;
const streamsPerConnection = 100;
const intervalMs = 1_000; // of each live stream's messages
const gapMs = 10;

/** Reads one stream each; `opened` is called at its first message, `kicked` with the code of the kick. */
const ways = {
  "throw → the raw stream throws": async ({ transport }, request, opened, kicked) => {
    try {
      for await (const _ of createConnectClient(ChatService, transport).subscribe(request)) opened();
    } catch (error) {
      kicked(error.metadata?.get("farewell-code"));
    }
  },
  "throw → onKicked": async ({ transport, connection }, request, opened, kicked) => {
    const session = createSession(transport, { connection });
    session.onKicked(({ code }) => kicked(code));
    try {
      for await (const _ of createClient(ChatService, session).subscribe(request)) opened();
    } catch {} // kicked, which is known by then, or the server is gone
  },
};

async function latencies(subscribe) {
  const server = await startServer();
  const streams = live + kicks; // so that 1,000 are live at the last kick, too
  const taken = [];
  let link;
  let told;
  const kicked = (code) => {
    if (!code) return;
    taken.push(Number(process.hrtime.bigint() - BigInt(code)) / 1e6);
    told();
  };
  for (let number = 0; number < streams; number++) {
    if (number % streamsPerConnection === 0) link = linkTo(server.url, protocols[(number / streamsPerConnection) % 2]);
    await new Promise((opened) => void subscribe(link, { room: `tick/${number}/${intervalMs}` }, opened, kicked));
  }
  for (let kick = 0; kick < kicks; kick++) {
    const heard = new Promise((resolve) => {
      told = resolve;
    });
    server.send({ kick: Math.floor((kick * streams) / kicks) });
    await heard;
    await sleep(gapMs);
  }
  await server.kill();
  return taken;
}

export async function measure() {
  const rows = [];
  for (const [name, subscribe] of Object.entries(ways)) {
    const taken = await latencies(subscribe);
    const p = (q) => round(quantile(taken, q), 2);
    rows.push(context(`1,000 live streams, ${name}: p50`, p(0.5), "ms", `${kicks} kicks`));
    const p99 = [`1,000 live streams, ${name}: p99`, p(0.99)];
    const note = `most ${p(1)}`;
    rows.push(name.endsWith("onKicked") ? atMost(...p99, 10, "ms", note) : context(...p99, "ms", note));
  }
  return rows;
}

await main(import.meta.url, measure);
