import { setTimeout as sleep } from "node:timers/promises";
import { createClient as createConnectClient } from "@connectrpc/connect";
import { createClient, createSession } from "farewell";
import { startBouncer } from "./bouncer-child.mjs";
import { ChatService } from "./chat.mjs";
import { quantile, round } from "./figures.mjs";
import { linkTo, protocols } from "./links.mjs";
import { atMost, context, main } from "./report.mjs";

// From the call of `bouncer.kick` to `onKicked`, on loopback, at 1 to 10,000 live streams. The server is a process of its
// own; the time of the call travels in the kick, and both processes read the same monotonic clock. A stream that was
// kicked is followed by a new one, so that the number stays. Every other stream is a raw one, for comparison.

const kicks = 600;
const gapMs = 2;
const atATime = 20; // that open at once, at first
const streamsPerConnection = 100;
const messagesPerSecond = 1_000; // of all streams together
const sizes = [1, 100, 1_000, 10_000];

/** Reads one stream each; `opened` is called at its first message, `kicked` with the code of the kick. */
const ways = {
  "the raw stream throws": async ({ transport }, request, options, opened, kicked) => {
    try {
      for await (const _ of createConnectClient(ChatService, transport).subscribe(request, options)) opened();
    } catch (error) {
      kicked(error.metadata?.get("farewell-code"));
    }
  },
  onKicked: async ({ transport, connection }, request, options, opened, kicked) => {
    const session = createSession(transport, { connection });
    session.onKicked(({ code }) => kicked(code));
    try {
      for await (const _ of createClient(ChatService, session).subscribe(request, options)) opened();
    } catch {} // kicked, which is known by then, or the server is gone
  },
};

/** For each way, the ms that each kick took. */
async function latencies(live) {
  const server = await startBouncer();
  const room = `tick/${Math.max(1_000, (live / messagesPerSecond) * 1_000)}`;
  const names = Object.keys(ways);
  const links = Array.from({ length: Math.ceil(live / streamsPerConnection) }, (_, index) =>
    linkTo(server.urlOf("bouncer"), protocols[index % protocols.length]),
  );
  const taken = Object.fromEntries(names.map((name) => [name, []]));
  let told;

  /** The stream of this place, after `kicks` of it. */
  async function open(place, kicked) {
    const name = names[(place + kicked) % names.length];
    const options = { headers: { "x-user": `${place}/${kicked}` } };
    const heard = (code) => {
      if (!code) return;
      taken[name].push(Number(process.hrtime.bigint() - BigInt(code)) / 1e6);
      told();
    };
    await new Promise((opened) => void ways[name](links[place % links.length], { room }, options, opened, heard));
  }

  for (let first = 0; first < live; first += atATime) {
    const places = Array.from({ length: Math.min(atATime, live - first) }, (_, index) => first + index);
    await Promise.all(places.map((place) => open(place, 0)));
  }
  const kicked = new Array(live).fill(0);
  for (let kick = 0; kick < kicks; kick++) {
    const place = Math.min(live - 1, 2 * Math.floor((kick * live) / kicks / 2) + (kick % 2)); // of both ways in turn
    const heard = new Promise((resolve) => {
      told = resolve;
    });
    server.ask("kick", { user: `${place}/${kicked[place]}` });
    await heard;
    await open(place, ++kicked[place]);
    await sleep(gapMs);
  }
  const left = await server.ask("count");
  if (left !== live) throw new Error(`${left} streams are inside, not ${live}`);
  await server.kill();
  return taken;
}

export async function measure() {
  const rows = [];
  for (const live of sizes) {
    for (const [name, taken] of Object.entries(await latencies(live))) {
      const p = (q) => round(quantile(taken, q), 2);
      const what = `kick at ${live.toLocaleString("en")} live streams → ${name}`;
      rows.push(context(`${what}: p50`, p(0.5), "ms", `${taken.length} kicks`));
      const p99 = [`${what}: p99`, p(0.99)];
      const barred = live === 1_000 && name === "onKicked";
      rows.push(barred ? atMost(...p99, 10, "ms", `most ${p(1)}`) : context(...p99, "ms", `most ${p(1)}`));
    }
  }
  return rows;
}

await main(import.meta.url, measure);
