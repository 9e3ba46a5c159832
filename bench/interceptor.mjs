import { overHttp2 } from "./bare-client.mjs";
import { startBouncer } from "./bouncer-child.mjs";
import { round } from "./figures.mjs";
import { atLeast, context, main } from "./report.mjs";
import { compared, medianOf, takeTurns } from "./turns.mjs";

// Messages per second of a server with the bouncer's interceptor against the same server without it, and the processor
// time that a message costs the server. Both are in one process, apart from this one, and take turns; only the ratios
// within a round count. The raw one takes two turns: their mean is what the other is held against, their ratio is the
// error to expect. The client throws the bytes away, so that the server is all that limits, and every nanosecond of the
// interceptor shows: it is the worst case that can be built.

const warmUps = 5;
const rounds = 36;
const roundMs = 50;
const bar = 0.97;
const sizes = { small: 0, "1 kB": 1000 };
const protocols = {
  grpc: "application/grpc+proto",
  connect: "application/connect+proto",
  "grpc-web": "application/grpc-web+proto",
};

/** Reads one stream to its end; what the server's process spent on each message. */
async function read(server, call, messages, bytes) {
  const cpu = await server.ask("cpu");
  const start = performance.now();
  await call("guest", `count/${messages}/${bytes}`);
  const ms = performance.now() - start;
  return { perSecond: (messages / ms) * 1000, cpuUs: ((await server.ask("cpu")) - cpu) / messages };
}

async function compare(server, type, bytes) {
  const calls = ["raw", "raw", "bouncer"].map((house) => overHttp2(server.urlOf(house), type));
  let messages = 5_000;
  for (let turn = 0; turn < warmUps; turn++) {
    for (const call of calls) {
      const { perSecond } = await read(server, call, messages, bytes);
      messages = Math.max(1_000, Math.round((perSecond * roundMs) / 1000));
    }
  }
  return await takeTurns(calls, rounds, (call) => read(server, call, messages, bytes));
}

export async function measure() {
  const server = await startBouncer();
  const rows = [];
  const all = { raw: [], guarded: [] };
  for (const [protocol, type] of Object.entries(protocols)) {
    for (const [size, bytes] of Object.entries(sizes)) {
      const [raw, again, guarded] = await compare(server, type, bytes);
      const mean = raw.map((one, turn) => ({
        perSecond: (one.perSecond + again[turn].perSecond) / 2,
        cpuUs: (one.cpuUs + again[turn].cpuUs) / 2,
      }));
      const what = `served, ${protocol}, ${size}`;
      const cost = `server's CPU ${round(medianOf(raw, "cpuUs"), 2)} µs each`;
      rows.push(context(`${what}: raw`, Math.round(medianOf(raw, "perSecond")), "messages/s", cost));
      const control = compared(again, raw);
      const ours = compared(guarded, mean);
      const note = [
        ours.perSecond.spread,
        `per CPU second × ${ours.perCpu.ratio}`,
        `raw again × ${control.perSecond.ratio}, per CPU second × ${control.perCpu.ratio}`,
      ].join("; ");
      rows.push(atLeast(`${what}: with the interceptor`, ours.perSecond.ratio, bar, "× raw", note));
      all.guarded.push(...guarded);
      all.raw.push(...mean);
    }
  }
  const { perSecond, perCpu } = compared(all.guarded, all.raw);
  rows.push(
    atLeast("served, all of these rounds: with the interceptor", perSecond.ratio, bar, "× raw", perSecond.spread),
  );
  const cpu = "served, all of these rounds: with the interceptor, messages per CPU second";
  rows.push(atLeast(cpu, perCpu.ratio, bar, "× raw", perCpu.spread));
  await server.kill();
  return rows;
}

await main(import.meta.url, measure);
