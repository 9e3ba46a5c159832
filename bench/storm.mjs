import { createAcceptor } from "../dist/server/admission/accept.js";
import { reserve } from "../dist/server/admission/ledger.js";
import { spread } from "../dist/server/drain/slots.js";
import { round, seeded } from "./figures.mjs";
import { sessionOfOne } from "./machine.mjs";
import { atMost, context, main } from "./report.mjs";

// 100,000 clients are lost within 0.1 s and want in again, at a server that takes 2,000 a second and lets 1,000 wait; who
// is turned away costs it a fraction of one who is let in. Nobody can be back sooner than clients / rate after the loss:
// that is the bound. The clients are the package's own state machine with its default policies, the slots its own
// ledger, and the door's arithmetic that of admission/accept.ts. The peers are their published formulas, at the same server.

const clients = 100_000;
const perSecond = 2_000;
const queueDepth = 1_000;
const lostWithinMs = 100;
const roundTripMs = 50; // of a call: up to so much, half of it each way
const longest = { ms: 1_000_000, attempts: 20_000_000 }; // then it is "never"

const words = { message: "", localized: undefined, said: false, source: "transport", cause: undefined };
const network = { ...words, reason: "network" };
const said = { ...words, said: true, source: "detail" };

/** A session of ours: called with each ending, it answers when it tries again. `windowMs`: what its control stream said. */
function session(windowMs) {
  const ours = sessionOfOne(windowMs);
  return (now, answer, random) => {
    // A time of return travels as a delay.
    const disconnect = answer === undefined ? network : { ...said, ...answer, retryAt: new Date(now + answer.retryMs) };
    return ours.lost(disconnect, now, random());
  };
}

/** A peer, which hears no words: it waits `delayMs(n)`, counted from 0. */
function peer(delayMs) {
  let number = 0;
  return (now, _, random) => now + delayMs(number++, random);
}

const steps = (delays, after) => (n) => delays[n] ?? after;
const peers = {
  "full jitter, 1 to 30 s": (n, random) => random() * Math.min(30_000, 1_000 * 2 ** n),
  "1 s": () => 1_000,
  "SignalR 10.0.11": steps([0, 2_000, 10_000, 30_000], Number.POSITIVE_INFINITY),
  "socket.io-client 4.8.4": (n, random) => Math.min(5_000, 1_000 * 2 ** n * (0.5 + random())),
  "phoenix 1.8.16": steps([10, 50, 100, 150, 200, 250, 500, 1_000, 2_000], 5_000),
  "grpc-js": (n, random) => Math.min(120_000, 1_000 * 1.6 ** n) * (0.8 + 0.4 * random()),
};

/** The door of admission/accept.ts: its refusal, or `undefined` for who may come in. */
function doorOf(perSecond, random) {
  const accept = createAcceptor(perSecond, horizonMs, 0);
  return (now) => {
    const ticket = accept(now, random());
    return ticket && { reason: "throttled", reserved: ticket.reserved, retryMs: ticket.at - now };
  };
}

/**
 * How each client is lost: without a word, or with a slot of its own, as drain.ts gives it.
 *
 * @param heard which share of the goodbyes arrives; those that do not have taken a slot as well
 */
function* losses({ goodbyePerSecond, heard = 1 }, random) {
  let ledger = { freeAt: 0 };
  for (const at of spread(clients, 0, lostWithinMs)) {
    if (goodbyePerSecond === undefined) {
      yield { at, answer: undefined };
      continue;
    }
    const now = Math.floor(at);
    const slot = reserve(ledger, now, goodbyePerSecond);
    ledger = slot.ledger;
    const answer = { reason: "maintenance", reserved: true, retryMs: new Date(slot.at).getTime() - now };
    yield { at, answer: random() < heard ? answer : undefined };
  }
}

/**
 * Runs a storm to its end.
 *
 * @param storm `capacity`: who is really taken in a second; `cost`: of one who is turned away; `darkMs`: nobody is taken
 *   before; `doorPerSecond`: what the door was set to, if there is one; `client`: makes one
 */
function simulate(storm) {
  const { client, capacity = perSecond, cost = 0.02, darkMs = 0, doorPerSecond } = storm;
  const random = seeded(1);
  const door = doorPerSecond === undefined ? () => undefined : doorOf(doorPerSecond, random);
  const sessions = Array.from({ length: clients }, client);
  const calendar = new Map(); // who arrives in which millisecond
  const boundMs = darkMs + (clients / capacity) * 1_000;
  let coming = 0;
  let attempts = 0;
  let full = 0;

  /** At `now` the client was lost, or turned away; its next attempt arrives when it has waited and travelled. */
  function turnAway(index, now, answer) {
    const knownAt = Math.ceil(now + (random() * roundTripMs) / 2);
    const at = Math.max(now + 1, sessions[index](knownAt, answer, random) + (random() * roundTripMs) / 2);
    if (at === Number.POSITIVE_INFINITY) return; // it gives up
    const ms = Math.ceil(at);
    const there = calendar.get(ms);
    if (there) there.push(index);
    else calendar.set(ms, [index]);
    coming++;
  }

  let number = 0;
  for (const { at, answer } of losses(storm, random)) turnAway(number++, at, answer);
  const waiting = [];
  const inAt = [];
  const perMs = []; // attempts
  let served = 0; // of those that wait
  let budget = 0;
  for (let now = 0; coming > 0 || served < waiting.length; now++) {
    if (now > longest.ms || attempts > longest.attempts) break;
    const arrived = calendar.get(now) ?? [];
    calendar.delete(now);
    coming -= arrived.length;
    attempts += arrived.length;
    perMs.push(arrived.length);
    for (const index of arrived) {
      if (now < darkMs) {
        turnAway(index, now, undefined); // nobody is there, and it costs nothing
        continue;
      }
      const refusal = door(now);
      if (!refusal && waiting.length - served < queueDepth) {
        waiting.push(index);
        continue;
      }
      budget -= cost;
      if (!refusal) full++;
      turnAway(index, now, refusal);
    }
    budget = Math.max(budget, -capacity) + capacity / 1_000; // of calls from over a second ago nobody hears any more
    for (; budget >= 1 && served < waiting.length; budget--, served++) inAt.push(now);
    if (served === waiting.length) budget = Math.min(budget, 1); // time in which there was nothing to do is lost
  }
  const over = (share) => (inAt.length < share * clients ? "never" : round(inAt[share * clients - 1] / boundMs, 3));
  return {
    last: over(1),
    most: over(0.99),
    attempts: round(attempts / clients, 2),
    peak: peakOf(perMs).toLocaleString("en"),
    turnedAway: round((full / clients) * 100, 1),
    never: round((1 - inAt.length / clients) * 100, 1),
  };
}

/** The most attempts in any second. */
function peakOf(perMs) {
  let [most, sum] = [0, 0];
  for (let ms = 0; ms < perMs.length; ms++) {
    sum += perMs[ms] - (perMs[ms - 1_000] ?? 0);
    most = Math.max(most, sum);
  }
  return most;
}

const horizonMs = 60_000; // that of admission.ts
const windowMs = (clients / perSecond) * 1_000; // what `admission.windowMs` is documented to be
const shortMs = 5_000;
const afterGoodbye = { last: 1.05, attempts: 1.1 };
const afterCrash = { last: 1.1, attempts: 2.5 };

/** Each with what its sessions were told, and its bars, if there are any. */
const ours = {
  goodbye: [{ goodbyePerSecond: perSecond }, windowMs, afterGoodbye],
  "goodbye, 20 % of them lost": [{ goodbyePerSecond: perSecond, heard: 0.8 }, windowMs, afterGoodbye],
  "goodbye, 20 % of them lost, window 5 s": [{ goodbyePerSecond: perSecond, heard: 0.8 }, shortMs, afterCrash],
  "goodbye, but half the capacity": [
    { goodbyePerSecond: perSecond, capacity: perSecond / 2, doorPerSecond: perSecond / 2 },
    windowMs,
    afterCrash,
  ],
  "goodbye, but half the capacity, and the door not told": [
    { goodbyePerSecond: perSecond, capacity: perSecond / 2 },
    windowMs,
  ],
  crash: [{}, windowMs, afterCrash],
  "crash, window 5 s": [{}, shortMs, afterCrash],
  "crash, window 5 s, a refusal costs 0.2": [{ cost: 0.2 }, shortMs],
  "crash, no control stream that tells the window": [{}, undefined],
};

export async function measure() {
  const rows = [];
  for (const [name, [storm, windowMs, bars]] of Object.entries(ours)) {
    const figures = simulate({ doorPerSecond: perSecond, client: () => session(windowMs), ...storm });
    const { last, most, attempts, peak, turnedAway } = figures;
    const notes = { last: `99 % of them: ${most} ×`, attempts: `peak ${peak}/s; ${turnedAway} % met a full queue` };
    const row = (what, figure, label, unit) =>
      bars === undefined
        ? context(`storm, ${name}: ${label}`, figure, unit, notes[what])
        : atMost(`storm, ${name}: ${label}`, figure, bars[what], unit, notes[what]);
    rows.push(row("last", last, "last one in", "× bound"), row("attempts", attempts, "attempts", "each"));
  }
  for (const [name, delayMs] of Object.entries(peers)) {
    const { last, most, attempts, peak, never } = simulate({ client: () => peer(delayMs) });
    const out = never > 0 ? `; ${never} % are not in` : "";
    const note = `99 % of them: ${most} ×; ${attempts} attempts each, peak ${peak}/s${out}`;
    rows.push(context(`storm, ${name} (its formula): last one in`, last, "× bound", note));
  }
  return rows;
}

await main(import.meta.url, measure);
