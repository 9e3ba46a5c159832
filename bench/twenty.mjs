import { setTimeout as sleep } from "node:timers/promises";
import { createClient, createSession, systemClock } from "farewell";
import { ChatService } from "./chat.mjs";
import { startServer } from "./child.mjs";
import { round, seeded } from "./figures.mjs";
import { linkTo, protocols } from "./links.mjs";
import { atMost, context, main } from "./report.mjs";

// A server process is killed and started again after 3 s. Twenty streams on one session against one stream on another,
// in pairs that draw the same delays: how often each probed, and how soon all twenty were back.

const downMs = 3_000;
const pairs = 8;

/** A session with `count` streams in a room, and what it did from the outage on. */
function subscribe(url, room, protocol, count, seed) {
  const { transport, connection } = linkTo(url, protocol);
  const seen = { calledAt: [], probes: 0, backAt: [], opened: 0 };
  const counting = {
    ...transport,
    stream(...call) {
      seen.calledAt.push(process.hrtime.bigint());
      return transport.stream(...call);
    },
  };
  // Twenty losses draw more numbers than one does, so that a draw depends on the attempts made instead.
  const random = () => seeded(seed * 1_000 + seen.calledAt.length)();
  const session = createSession(counting, { connection, clock: { ...systemClock, random } });
  session.on("streamOpened", () => {
    seen.opened++;
  });
  session.on("reconnected", ({ attempts }) => {
    seen.probes = attempts;
  });
  session.on("streamReopened", () => void seen.backAt.push(process.hrtime.bigint()));
  const client = createClient(ChatService, session);
  for (let stream = 0; stream < count; stream++) read(client, room);
  return { seen, count };
}

async function read(client, room) {
  for await (const _ of client.subscribe({ room }));
}

async function until(holds) {
  const end = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error("not within a minute");
    await sleep(10);
  }
}

const msFrom = (start, end) => Number(end - start) / 1e6;

export async function measure() {
  const server = await startServer();
  const all = Array.from({ length: pairs }, (_, seed) =>
    [20, 1].map((count) => subscribe(server.url, "wait", protocols[seed % protocols.length], count, seed)),
  );
  // connect-node sends no headers before a first message, so that a probe here is neither let in nor refused.
  const silent = subscribe(server.url, "silence", "grpc", 20, 0);
  const sessions = all.flat();
  await until(() => sessions.every(({ seen, count }) => seen.opened === count) && silent.seen.calledAt.length === 20);
  for (const { seen } of [...sessions, silent]) seen.calledAt.length = 0;
  await server.kill();
  await sleep(downMs);
  const { listeningAt, kill } = await startServer(server.port);
  await until(() => sessions.every(({ seen, count }) => seen.backAt.length === count));
  const probed = () => silent.seen.calledAt.findIndex((at) => at > listeningAt);
  await until(() => probed() >= 0 && silent.seen.calledAt.length === probed() + 20);
  const rows = [];
  const apart = all.map(([twenty, one]) => Math.abs(twenty.seen.probes - one.seen.probes));
  const probes = all.map(([twenty, one]) => `${twenty.seen.probes}/${one.seen.probes}`).join(" ");
  rows.push(atMost("twenty streams, probes more or less than one stream's", Math.max(...apart), 1, undefined, probes));
  const beyond = all.map(([{ seen }]) => seen.calledAt.length - seen.probes - 19);
  rows.push(atMost("twenty streams, calls besides its probes and one per other stream", Math.max(...beyond), 0));
  const waits = all.map(([{ seen }]) => msFrom(listeningAt, seen.backAt[0]));
  const wait = `least ${Math.round(Math.min(...waits))}: the backoff that was left when the server came back`;
  rows.push(
    context("twenty streams, server listens to probe let in: most", Math.round(Math.max(...waits)), "ms", wait),
  );
  const follows = all.map(([{ seen }]) => msFrom(seen.backAt[0], seen.backAt.at(-1)));
  const least = `least ${round(Math.min(...follows), 1)}, of ${pairs} sessions`;
  rows.push(
    atMost("twenty streams, probe let in to all back: most", round(Math.max(...follows), 1), 1_000, "ms", least),
  );
  const patience = Math.round(msFrom(silent.seen.calledAt[probed()], silent.seen.calledAt.at(-1)));
  rows.push(atMost("twenty streams that hear nothing at first, probe to all called", patience, 1_000, "ms"));
  await kill();
  return rows;
}

await main(import.meta.url, measure);
