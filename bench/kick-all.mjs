import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { startBouncer } from "./bouncer-child.mjs";
import { ChatService } from "./chat.mjs";
import { median, round } from "./figures.mjs";
import { linkTo, protocols } from "./links.mjs";
import { context, exactly, main } from "./report.mjs";

// 10,000 streams are put out at once, each with the reason, beside a server that just destroys its sockets: from the call
// in the server's process until the last client in this one knows. The clients are Connect's own, so that nobody comes
// back. The two ways take turns at the same server.

const streams = 10_000;
const streamsPerConnection = 100;
const pairs = 2; // each takes seconds to open
const atATime = 50; // that open at once

const ways = { "bouncer.kick({ all: true })": "kickAll", "sockets destroyed": "destroyAll" };

/** Opens all. `over` resolves when every client knows that its stream has ended: with when, and with who was told why. */
async function open(url, streams) {
  const clients = Array.from({ length: streams / streamsPerConnection }, (_, index) =>
    createClient(ChatService, linkTo(url, protocols[index % protocols.length]).transport),
  );
  const knownAt = [];
  let told = 0;
  let done;
  const over = new Promise((resolve) => {
    done = resolve;
  });
  const read = async (place, opened) => {
    try {
      const options = { headers: { "x-user": `${place}` } };
      for await (const _ of clients[place % clients.length].subscribe({ room: "tick/600000" }, options)) opened();
    } catch (error) {
      if (error.metadata?.get("farewell-reason") === "kicked") told++;
    }
    knownAt.push(process.hrtime.bigint());
    if (knownAt.length === streams) done({ first: knownAt[0], last: knownAt.at(-1), told });
  };
  for (let first = 0; first < streams; first += atATime) {
    const places = Array.from({ length: atATime }, (_, index) => first + index);
    await Promise.all(places.map((place) => new Promise((opened) => void read(place, opened))));
  }
  return { over };
}

async function putOut(server, order, count = streams) {
  const { over } = await open(server.urlOf("bouncer"), count);
  const cpu = await server.ask("cpu");
  const [answer, { first, last, told }] = await Promise.all([server.ask(order), over]);
  while ((await server.ask("count")) > 0) await sleep(10);
  const cpuUs = ((await server.ask("cpu")) - cpu) / count;
  const msTo = (time) => Number(time - BigInt(answer.at)) / 1e6;
  return { firstMs: msTo(first), lastMs: msTo(last), told, cpuUs, report: answer };
}

export async function measure() {
  const server = await startBouncer();
  const taken = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (const order of Object.values(ways)) await putOut(server, order, 1_000); // for warmth
  for (let pair = 0; pair < pairs; pair++) {
    for (const [way, order] of Object.entries(ways)) taken[way].push(await putOut(server, order));
  }
  await server.kill();
  const rows = [];
  const rates = {};
  for (const [way, runs] of Object.entries(taken)) {
    const of = (what) => median(runs.map((run) => run[what]));
    rates[way] = runs.map(({ lastMs }) => (streams / lastMs) * 1_000);
    const what = `10,000 streams, ${way}`;
    const cpu = `server's CPU ${round(of("cpuUs"), 1)} µs each`;
    rows.push(context(`${what}: ended`, Math.round(median(rates[way])), "streams/s", cpu));
    const first = `first ${Math.round(of("firstMs"))}; of ${pairs} runs: ${runs.map((run) => Math.round(run.lastMs)).join(", ")}`;
    rows.push(context(`${what}: call → last client knows`, Math.round(of("lastMs")), "ms", first));
  }
  const [kicked, destroyed] = Object.values(rates);
  const ratios = kicked.map((rate, pair) => rate / destroyed[pair]);
  rows.push(context("10,000 streams, kicked per second", round(median(ratios), 2), "× destroyed"));
  const [kicks] = Object.values(taken);
  const heard = Math.min(...kicks.map(({ told }) => told));
  const { told, forced, left, failed } = kicks[0].report;
  const report = `the report: told ${told}, forced ${forced}, left ${left}, failed ${failed}`;
  rows.push(exactly("10,000 streams kicked, clients that heard the reason", heard, streams, undefined, report));
  return rows;
}

await main(import.meta.url, measure);
