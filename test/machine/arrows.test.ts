import { expect, test } from "vitest";
import type { Input } from "../../src/machine/input.js";
import type { Phase, Rules, State } from "../../src/machine/state.js";
import { step } from "../../src/machine/step.js";
import { wakeAt } from "../../src/machine/wake-at.js";
import type { Decision } from "../../src/policy/policy.js";
import {
  banned,
  disconnect,
  label,
  network,
  now,
  outage,
  rules,
  stateOf,
  stream,
  told,
  waiting,
  wall,
} from "./states.js";

// One row for each arrow of the diagram in state.ts, and for each input that leads nowhere: the state before, the input, the
// state after, what is told and what is to be done.

interface Row {
  readonly name: string;
  readonly before: State;
  readonly input: Input;
  readonly rules?: Partial<Rules>;
  /** What is known of the state after. */
  readonly after: { readonly phase: object } & Partial<Omit<State, "phase">>;
  readonly events?: readonly string[];
  readonly effects?: readonly string[];
  /** When to wake, counted from now; `undefined` for never. */
  readonly wakeInMs?: number | undefined;
}

const healthy: Phase = { status: "healthy" };
const probing: Phase = { status: "probing", outage };
const recovering: Phase = {
  status: "recovering",
  outage: { ...outage, down: false },
  healthyAt: now + 9_000,
  passed: true,
};
const refreshing: Phase = {
  ...{ status: "refreshing", outage, askedAt: now - 5_000, afterMs: 100, why: "unauthenticated" },
  refund: { tokens: 5, at: now },
};
const paused: Phase = { status: "paused", outage, why: "offline", refresh: false };
const expired = disconnect("unauthenticated", { said: true, source: "status" });
const ended: Phase = { status: "ended", disconnect: banned, why: "banned: Bye" };
const closed: Phase = { status: "closed" };

const open = (id: number, facts = {}) => stream(id, { returning: false, away: false, ...facts });
const prober = { stream: 1, presumedAt: now + 500, opened: undefined };
const headers = { at: now - 200, first: false, confirmedAt: now };
/** The server gave a time: it is so far away by the clock for durations, and by the wall clock. */
const toldToWait = (floorMs: number, wallMs: number) => {
  const maintenance = disconnect("maintenance", { said: true, retryAt: new Date(wall + wallMs) });
  return { ...waiting, outage: { ...outage, disconnect: maintenance, floorAt: now + floorMs } };
};
const newcomer = { label: label(3), reopenable: true, resumes: false };

const retry: Decision = { action: "reconnect", afterMs: 1_000, why: "network: backoff 1 s" };
const lost = (decision: Decision = retry, more: object = {}): Input => ({
  ...{ type: "lost", stream: 1, disconnect: network, sentAt: now, reopenable: true, resumes: false, decision },
  ...more,
});

const rows: readonly Row[] = [
  {
    name: "joined, healthy: it goes at once",
    before: stateOf({ phase: healthy }),
    input: { type: "joined", stream: newcomer, pause: undefined },
    after: { phase: healthy, queue: [] },
    effects: ["let go 3"],
  },
  {
    name: "joined, waiting: it waits with the others",
    before: stateOf({ phase: waiting, streams: [stream(1)], queue: [1] }),
    input: { type: "joined", stream: newcomer, pause: undefined },
    after: { phase: waiting, queue: [1, 3] },
    wakeInMs: 2_000,
  },
  {
    name: "joined, waiting for nobody any more: the wait ends early",
    before: stateOf({ phase: waiting }),
    input: { type: "joined", stream: newcomer, pause: undefined },
    after: { phase: { status: "waiting", until: now + 1 }, queue: [3] },
    events: ["reconnecting"],
    wakeInMs: 1,
  },
  {
    name: "joined, waiting, not to be opened again: it goes at once, for nobody",
    before: stateOf({ phase: waiting, streams: [stream(1)], queue: [1] }),
    input: { type: "joined", stream: { ...newcomer, reopenable: false }, pause: undefined },
    after: { phase: waiting, queue: [1] },
    effects: ["let go 3"],
    wakeInMs: 2_000,
  },
  {
    name: "joined by the prober itself, which begins anew: it goes, and its headers no longer count",
    before: stateOf({
      ...{ phase: probing, streams: [stream(3), stream(2)], queue: [2] },
      prober: { ...prober, stream: 3, opened: headers },
    }),
    input: { type: "joined", stream: newcomer, pause: undefined },
    after: { phase: probing, prober: { ...prober, stream: 3 }, queue: [2] },
    effects: ["let go 3"],
    wakeInMs: 500,
  },
  {
    name: "joined, while the device is offline: paused before anything went out",
    before: stateOf({ phase: healthy }),
    input: { type: "joined", stream: newcomer, pause: "offline" },
    after: { phase: { status: "paused", why: "offline" }, queue: [3] },
    events: ["disconnected", "network", "paused"],
  },
  {
    name: "asked again, healthy still: it goes",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: { type: "asked again", stream: 1 },
    after: { phase: healthy },
    effects: ["let go 1"],
  },
  {
    name: "asked again, in an outage by now: it waits",
    before: stateOf({ phase: waiting, streams: [open(1), stream(2)], queue: [2] }),
    input: { type: "asked again", stream: 1 },
    after: { phase: waiting, queue: [2, 1] },
    wakeInMs: 2_000,
  },
  {
    name: "healthy ── lost ──▶ waiting",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: lost(),
    after: { phase: { status: "waiting", until: now + 1_000, outage: { attempts: 0, down: true } }, queue: [1] },
    events: ["streamLost", "disconnected", "network", "reconnecting"],
    wakeInMs: 1_000,
  },
  {
    name: "lost, and it can no longer ask for what it missed",
    before: stateOf({ phase: waiting, streams: [open(1, { resumes: true }), stream(2)], queue: [2] }),
    input: lost(),
    after: { phase: waiting, streams: [stream(1), stream(2)] },
    events: ["streamLost"],
    wakeInMs: 2_000,
  },
  {
    name: "lost beside another that waits: one more, and no news",
    before: stateOf({ phase: waiting, streams: [open(1), stream(2)], queue: [2] }),
    input: lost(),
    after: { phase: waiting, queue: [2, 1] },
    events: ["streamLost"],
    wakeInMs: 2_000,
  },
  {
    name: "lost beside another that waits, with a time from the server: that counts for all",
    before: stateOf({ phase: waiting, streams: [open(1), stream(2)], queue: [2] }),
    input: lost({ ...retry, afterMs: 30_000 }, { disconnect: disconnect("maintenance", { said: true }) }),
    after: { phase: { status: "waiting", until: now + 30_000 } },
    events: ["streamLost", "maintenance", "reconnecting"],
    wakeInMs: 30_000,
  },
  {
    name: "healthy ── lost, credentials expired ──▶ refreshing",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: lost({ ...retry, refresh: true }, { disconnect: disconnect("unauthenticated") }),
    after: { phase: { status: "refreshing", afterMs: 1_000 }, queue: [1] },
    events: ["streamLost", "disconnected", "unauthenticated"],
    effects: ["start refresh"],
  },
  {
    name: "healthy ── lost, credentials expired, and a long wait before the attempt ──▶ waiting: they would not last",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: lost({ ...retry, afterMs: 3_000, refresh: true }, { disconnect: disconnect("unauthenticated") }),
    after: { phase: { status: "waiting", until: now + 3_000, refresh: true }, queue: [1] },
    events: ["streamLost", "disconnected", "unauthenticated", "reconnecting"],
    wakeInMs: 3_000,
  },
  {
    name: "waiting, for credentials ── woken ──▶ refreshing, with the token that the wait has taken",
    before: stateOf({ phase: { ...waiting, until: now, refresh: true }, streams: [stream(1)], queue: [1] }),
    input: { type: "woken" },
    after: { phase: { status: "refreshing", afterMs: 0, refund: waiting.refund } },
    effects: ["start refresh"],
  },
  {
    name: 'healthy ── lost, the policy says "stop" ──▶ recovering, for those lost with it',
    before: stateOf({ phase: healthy, streams: [open(1), open(2)] }),
    input: lost({ action: "stop", why: "stop" }),
    after: { phase: { status: "recovering", passed: false } },
    events: ["disconnected", "network"],
    effects: ["stop 1"],
    wakeInMs: 10_000,
  },
  {
    name: "the prober is lost and gives up: all that wait stop with it",
    before: stateOf({ phase: probing, streams: [stream(1), stream(2)], queue: [2], prober }),
    input: lost({ action: "stop", why: "gave up" }),
    after: { phase: { status: "recovering", passed: false }, queue: [], prober: undefined },
    effects: ["stop 1 2", "leave turn"],
    wakeInMs: 10_000,
  },
  {
    name: "a stream is lost that is not opened again: it alone stops",
    before: stateOf({ phase: waiting, streams: [open(1), stream(2)], queue: [2] }),
    input: lost(retry, { reopenable: false }),
    after: { phase: waiting, queue: [2] },
    effects: ["stop 1"],
    wakeInMs: 2_000,
  },
  {
    name: 'any ── lost, the policy says "end" ──▶ ended',
    before: stateOf({ phase: waiting, streams: [open(1), stream(2)], queue: [2] }),
    input: lost({ action: "end", why: "banned: Bye" }, { disconnect: banned }),
    after: { phase: { status: "ended", disconnect: banned, why: "banned: Bye" }, queue: [] },
    events: ["banned", "ended"],
    effects: ["stop 1 2"],
  },
  {
    name: "waiting ── woken ──▶ probing: the first in the queue goes",
    before: stateOf({ phase: { ...waiting, until: now }, streams: [stream(1), stream(2)], queue: [1, 2] }),
    input: { type: "woken" },
    after: { phase: { status: "probing", outage: { attempts: 2 } }, queue: [2], prober },
    effects: ["let go 1"],
    wakeInMs: 500,
  },
  {
    name: "waiting ── woken too early: it waits on",
    before: stateOf({ phase: waiting, streams: [stream(1)], queue: [1] }),
    input: { type: "woken" },
    after: { phase: waiting },
    wakeInMs: 2_000,
  },
  {
    name: "waiting ── woken, of several tabs: the turn is asked for, and not for ever",
    before: stateOf({ phase: { ...waiting, until: now }, streams: [stream(1)], queue: [1] }),
    input: { type: "woken" },
    rules: { takesTurns: true },
    after: { phase: { ...waiting, until: now }, turnUntil: now + 15_000 },
    effects: ["take turn"],
    wakeInMs: 15_000,
  },
  {
    name: "waiting ── the turn came ──▶ probing",
    before: stateOf({ phase: { ...waiting, until: now }, streams: [stream(1)], queue: [1], turnUntil: now + 1 }),
    input: { type: "turn came" },
    after: { phase: { status: "probing" }, turnUntil: undefined },
    effects: ["let go 1"],
    wakeInMs: 500,
  },
  {
    name: "waiting ── the turn has not come in time ──▶ probing all the same",
    before: stateOf({ phase: { ...waiting, until: now }, streams: [stream(1)], queue: [1], turnUntil: now }),
    input: { type: "woken" },
    rules: { takesTurns: true },
    after: { phase: { status: "probing" } },
    effects: ["let go 1"],
    wakeInMs: 500,
  },
  {
    name: "probing ── lost ──▶ waiting, for longer",
    before: stateOf({ phase: probing, streams: [stream(1), stream(2)], queue: [2], prober }),
    input: lost({ ...retry, afterMs: 2_000 }),
    after: {
      phase: { status: "waiting", until: now + 2_000, outage: { row: { reason: "network", number: 2 } } },
      queue: [2, 1],
    },
    events: ["streamLost", "reconnecting"],
    effects: ["leave turn"],
    wakeInMs: 2_000,
  },
  {
    name: "probing ── lost for another reason ──▶ waiting, and the row begins anew; what is in doubt is a row of its own",
    before: stateOf({ phase: probing, streams: [stream(1)], prober }),
    input: lost({ ...retry, afterMs: 2_000 }, { disconnect: disconnect("aborted", { source: "unknown" }) }),
    after: {
      phase: { status: "waiting", outage: { row: { reason: "aborted", number: 1, inDoubt: 1 }, endings: 2 } },
      queue: [1],
    },
    events: ["streamLost", "aborted", "reconnecting"],
    effects: ["leave turn"],
    wakeInMs: 2_000,
  },
  {
    name: "probing ── the prober left ──▶ waiting: the next one probes",
    before: stateOf({ phase: probing, streams: [stream(1), stream(2)], queue: [2], prober }),
    input: { type: "left", stream: 1 },
    after: { phase: { status: "waiting", until: now + 1 }, queue: [2] },
    effects: ["leave turn"],
    wakeInMs: 1,
  },
  {
    name: "probing ── headers: a refusal may still follow them",
    before: stateOf({ phase: probing, streams: [stream(1)], prober }),
    input: { type: "opened", stream: 1, first: false },
    after: { phase: probing, prober: { ...prober, opened: { at: now, first: false, confirmedAt: now + 200 } } },
    wakeInMs: 200,
  },
  {
    name: "probing ── confirmed by time ──▶ recovering: the others follow",
    before: stateOf({
      ...{ phase: probing, streams: [stream(1), stream(2)], queue: [2] },
      prober: { ...prober, opened: headers },
    }),
    input: { type: "woken" },
    after: {
      phase: { status: "recovering", passed: true, healthyAt: now - 200 + 10_000, outage: { row: undefined } },
      queue: [],
    },
    events: ["reconnected", "streamReopened"],
    effects: ["leave turn", "let go 2"],
    wakeInMs: 9_800,
  },
  {
    name: "probing ── confirmed by a message ──▶ recovering",
    before: stateOf({ phase: probing, streams: [stream(1)], prober: { ...prober, opened: headers } }),
    input: { type: "delivered", stream: 1, reopenable: true },
    after: { phase: { status: "recovering", outage: { row: undefined, endings: 1 } } },
    events: ["reconnected", "streamReopened"],
    effects: ["leave turn"],
    wakeInMs: 9_800,
  },
  {
    name: "probing ── presumed open ──▶ recovering, though it may hang: healthy only after six times as long",
    before: stateOf({
      ...{ phase: probing, streams: [stream(1), stream(2)], queue: [2] },
      prober: { ...prober, presumedAt: now },
    }),
    input: { type: "woken" },
    after: { phase: { status: "recovering", healthyAt: now + 60_000, outage: { row: outage.row } }, queue: [] },
    effects: ["leave turn", "let go 2"],
    wakeInMs: 60_000,
  },
  {
    name: "probing ── answered ──▶ recovering: the path is open, though that stream is not",
    before: stateOf({ phase: probing, streams: [stream(1), stream(2)], queue: [2], prober }),
    input: { type: "answered", stream: 1 },
    after: { phase: { status: "recovering", outage: { down: false } }, queue: [] },
    events: ["reconnected"],
    effects: ["leave turn", "let go 2"],
    wakeInMs: 10_000,
  },
  {
    name: "recovering ── lost before healthy ──▶ waiting, in the same outage",
    before: stateOf({ phase: recovering, streams: [open(1, { returning: true })] }),
    input: lost(),
    after: { phase: { status: "waiting", outage: { row: { reason: "network", number: 2 }, attempts: 1 } } },
    events: ["streamLost", "reconnecting"],
    wakeInMs: 1_000,
  },
  {
    name: "recovering ── woken ──▶ healthy",
    before: stateOf({ phase: { ...recovering, healthyAt: now }, streams: [open(1)] }),
    input: { type: "woken" },
    after: { phase: healthy },
  },
  {
    name: "recovering, presumed open ── woken ──▶ healthy: it is back, though it has said nothing",
    before: stateOf({ phase: { ...recovering, outage, healthyAt: now }, streams: [open(1)] }),
    input: { type: "woken" },
    after: { phase: healthy },
    events: ["reconnected"],
  },
  {
    name: "opened, healthy: the first stream of all",
    before: stateOf({ phase: healthy, streams: [open(1)], connected: false }),
    input: { type: "opened", stream: 1, first: true },
    after: { phase: healthy, connected: true },
    events: ["connected", "streamOpened"],
  },
  {
    name: "delivered, recovering: a stream that was only presumed open is let in, which nobody sees",
    before: stateOf({ phase: { ...recovering, outage }, streams: [open(1)] }),
    input: { type: "delivered", stream: 1, reopenable: true },
    after: { phase: { ...recovering, outage }, letInAt: now },
    wakeInMs: 9_000,
  },
  {
    name: "lost after a let-in: the first of a new row",
    before: stateOf({ phase: { ...recovering, outage }, letInAt: now, streams: [open(1)] }),
    input: lost(),
    after: { phase: { status: "waiting", outage: { row: { reason: "network", number: 1 } } }, letInAt: undefined },
    events: ["streamLost", "reconnecting"],
    wakeInMs: 1_000,
  },
  {
    name: "refreshing ── refreshed ──▶ waiting",
    before: stateOf({ phase: refreshing, streams: [stream(1)], queue: [1] }),
    input: { type: "refreshed" },
    after: { phase: { status: "waiting", until: now + 100 } },
    events: ["reconnecting"],
    effects: ["abort refresh"],
    wakeInMs: 100,
  },
  {
    name: "refreshing ── refused ──▶ ended",
    before: stateOf({
      phase: { ...refreshing, outage: { ...outage, disconnect: expired } },
      streams: [stream(1)],
      queue: [1],
    }),
    input: { type: "refused", disconnect: disconnect("unauthenticated"), why: "unauthenticated: signed out" },
    after: { phase: { status: "ended", disconnect: expired, why: "unauthenticated: signed out" } },
    events: ["ended"],
    effects: ["abort refresh", "stop 1"],
  },
  {
    name: "refreshing in an outage ── refused ──▶ ended, and not by the outage",
    before: stateOf({ phase: refreshing, streams: [stream(1)], queue: [1] }),
    input: { type: "refused", disconnect: disconnect("unauthenticated"), why: "unauthenticated: signed out" },
    after: {
      phase: {
        status: "ended",
        disconnect: { reason: "unauthenticated", said: false },
        why: "unauthenticated: signed out",
      },
    },
    events: ["ended"],
    effects: ["abort refresh", "stop 1"],
  },
  {
    name: "any ── refused, though no stream was ──▶ ended",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: { type: "refused", disconnect: disconnect("unauthenticated"), why: "unauthenticated: signed out" },
    after: { phase: { status: "ended", disconnect: { reason: "unauthenticated" } } },
    events: ["ended"],
    effects: ["stop 1"],
  },
  {
    name: "refreshed when nobody waits for it: nothing, but that failures are forgotten",
    before: stateOf({ phase: healthy, refreshFailures: 2, streams: [open(1)] }),
    input: { type: "refreshed" },
    after: { phase: healthy, refreshFailures: 0 },
  },
  {
    name: "waiting, for credentials ── refreshed, for somebody else ──▶ waiting, for the attempt alone",
    before: stateOf({ phase: { ...waiting, refresh: true }, streams: [stream(1)], queue: [1] }),
    input: { type: "refreshed" },
    after: { phase: waiting },
    wakeInMs: 2_000,
  },
  {
    name: "refreshing ── refresh failed ──▶ waiting, for credentials",
    before: stateOf({ phase: refreshing, streams: [stream(1)], queue: [1] }),
    input: { type: "refresh failed", error: new Error("no"), decision: retry },
    after: { phase: { status: "waiting", until: now + 1_000, refresh: true }, refreshFailures: 1 },
    events: ["refreshFailed", "reconnecting"],
    effects: ["abort refresh"],
    wakeInMs: 1_000,
  },
  {
    name: "refreshing ── refresh failed, the policy gives up ──▶ ended",
    before: stateOf({ phase: refreshing, streams: [stream(1)], queue: [1] }),
    input: { type: "refresh failed", error: new Error("no"), decision: { action: "stop", why: "no" } },
    after: { phase: { status: "ended", disconnect: network, why: "no" } },
    events: ["refreshFailed", "ended"],
    effects: ["abort refresh", "stop 1"],
  },
  {
    name: "refresh failed when nobody waits for it: it is told",
    before: stateOf({ phase: healthy, refreshFailures: 1, streams: [open(1)] }),
    input: { type: "refresh failed", error: new Error("no"), decision: retry },
    after: { phase: healthy, refreshFailures: 2 },
    events: ["refreshFailed"],
  },
  {
    name: "refresh due, healthy: the streams go on",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: { type: "refresh due" },
    after: { phase: healthy },
    effects: ["start refresh"],
  },
  {
    name: "refresh due in a pause: after it",
    before: stateOf({ phase: paused, streams: [stream(1)], queue: [1] }),
    input: { type: "refresh due" },
    after: { phase: { ...paused, refresh: true } },
  },
  {
    name: "refresh due in a wait: after it",
    before: stateOf({ phase: waiting, streams: [stream(1)], queue: [1] }),
    input: { type: "refresh due" },
    after: { phase: { ...waiting, refresh: true } },
    wakeInMs: 2_000,
  },
  {
    name: "any ── paused ──▶ paused: the refresh is given up, and begun anew after it",
    before: stateOf({ phase: refreshing, streams: [stream(1)], queue: [1] }),
    input: { type: "paused", why: "asleep" },
    after: { phase: { status: "paused", refresh: true } },
    events: ["paused"],
    effects: ["abort refresh"],
  },
  {
    name: "any ── paused ──▶ paused: attempts are given up, and counted nowhere",
    before: stateOf({ phase: waiting, bucket: { tokens: 4, at: now }, streams: [open(1), stream(2)], queue: [2] }),
    input: { type: "paused", why: "frozen" },
    after: {
      phase: { status: "paused", why: "frozen", outage: { row: undefined, endings: 1 } },
      queue: [2, 1],
      bucket: { tokens: 5, at: now },
    },
    events: ["paused", "streamLost"],
    effects: ["hold 1"],
  },
  {
    name: "paused, and nothing that could be opened again: nothing",
    before: stateOf({ phase: healthy, streams: [open(1, { reopenable: false })] }),
    input: { type: "paused", why: "offline" },
    after: { phase: healthy },
  },
  {
    name: "paused ── resumed ──▶ waiting",
    before: stateOf({ phase: paused, streams: [stream(1)], queue: [1] }),
    input: { type: "resumed" },
    after: { phase: { status: "waiting", until: now + 500 } },
    events: ["reconnecting"],
    wakeInMs: 500,
  },
  {
    name: "paused ── resumed, with credentials to be got ──▶ refreshing",
    before: stateOf({ phase: { ...paused, refresh: true }, streams: [stream(1)], queue: [1] }),
    input: { type: "resumed" },
    after: { phase: { status: "refreshing" } },
    effects: ["start refresh"],
  },
  {
    name: "any ── a verdict on another call ──▶ ended",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: { type: "verdict", disconnect: banned, decision: { action: "end", why: "banned: Bye" } },
    after: { phase: ended },
    events: ["banned", "ended"],
    effects: ["stop 1"],
  },
  {
    name: "a verdict that the policy does not end for: nothing",
    before: stateOf({ phase: healthy, streams: [open(1)] }),
    input: { type: "verdict", disconnect: banned, decision: retry },
    after: { phase: healthy },
  },
  {
    name: "waiting ── retry asked: as soon as the rate limit lets it",
    before: stateOf({ phase: waiting, streams: [stream(1)], queue: [1] }),
    input: { type: "retry asked" },
    after: { phase: { status: "waiting", until: now + 1 } },
    events: ["reconnecting"],
    wakeInMs: 1,
  },
  {
    name: "refreshing, for long ── retry asked ──▶ waiting, for another refresh",
    before: stateOf({ phase: refreshing, streams: [stream(1)], queue: [1] }),
    input: { type: "retry asked" },
    after: { phase: { status: "waiting", until: now + 1, refresh: true } },
    events: ["reconnecting"],
    effects: ["abort refresh"],
    wakeInMs: 1,
  },
  {
    name: "refreshing, just now ── retry asked: nothing",
    before: stateOf({ phase: { ...refreshing, askedAt: now - 900 }, streams: [stream(1)], queue: [1] }),
    input: { type: "retry asked" },
    after: { phase: { status: "refreshing" } },
  },
  {
    name: "healthy ── adopted from another page ──▶ waiting",
    before: stateOf({ phase: healthy }),
    input: { type: "adopted", phase: waiting, bucket: { tokens: 2, at: now }, events: [] },
    after: { phase: waiting, bucket: { tokens: 2, at: now } },
  },
  {
    name: "a return window is remembered",
    before: stateOf({ phase: healthy }),
    input: { type: "window", windowMs: 4_000 },
    after: { phase: healthy, windowMs: 4_000 },
  },
  {
    name: "ended ── restarted ──▶ healthy, not connected yet",
    before: stateOf({ phase: ended }),
    input: { type: "restarted" },
    after: { phase: healthy, connected: false },
  },
  {
    name: "ended: nothing is heard any more",
    before: stateOf({ phase: ended }),
    input: { type: "verdict", disconnect: banned, decision: { action: "end", why: "again" } },
    after: { phase: ended },
  },
  {
    name: "lost, by what the app says that an abort means, though it is not reopened: the session has ended",
    before: stateOf({ phase: healthy, streams: [open(1, { reopenable: false })] }),
    rules: { abortedMeans: "kicked" },
    input: lost({ action: "end", why: "kicked" }, { disconnect: disconnect("kicked"), reopenable: false }),
    after: { phase: { status: "ended" } },
    events: ["disconnected", "kicked", "ended"],
    effects: ["stop 1"],
  },
  {
    name: "lost, by a bare status that ends, and it is not reopened: that call's answer",
    before: stateOf({ phase: healthy, streams: [open(1, { reopenable: false })] }),
    rules: { abortedMeans: "unauthenticated" },
    input: lost(
      { action: "end", why: "unauthenticated" },
      { disconnect: disconnect("unauthenticated", { said: true, source: "status" }), reopenable: false },
    ),
    after: { phase: { status: "recovering" } },
    events: ["disconnected", "unauthenticated"],
    effects: ["stop 1"],
    wakeInMs: 10_000,
  },
  {
    name: "retry asked, before the server's time: then",
    before: stateOf({ phase: toldToWait(1_500, 1_500), streams: [stream(1)], queue: [1] }),
    input: { type: "retry asked" },
    after: { phase: { status: "waiting", until: now + 1_500 } },
    events: ["reconnecting"],
    wakeInMs: 1_500,
  },
  {
    name: "retry asked, before the server's time, and the wall clock was set back: then, as if it had not been",
    before: stateOf({ phase: toldToWait(1_500, 3_601_500), streams: [stream(1)], queue: [1] }),
    input: { type: "retry asked" },
    after: { phase: { status: "waiting", until: now + 1_500 } },
    events: ["reconnecting"],
    wakeInMs: 1_500,
  },
  {
    name: "retry asked, after the server's time by the wall clock alone, as after a sleep: now",
    before: stateOf({ phase: toldToWait(1_500, -1), streams: [stream(1)], queue: [1] }),
    input: { type: "retry asked" },
    after: { phase: { status: "waiting", until: now + 1 } },
    events: ["reconnecting"],
    wakeInMs: 1,
  },
  {
    name: "paused ── resumed ──▶ waiting, before the server's time, and the wall clock was set back",
    before: stateOf({
      phase: { ...paused, outage: toldToWait(1_500, 3_601_500).outage },
      streams: [stream(1)],
      queue: [1],
    }),
    input: { type: "resumed" },
    after: { phase: { status: "waiting", until: now + 1_500 } },
    events: ["reconnecting"],
    wakeInMs: 1_500,
  },
  {
    name: "any ── closed ──▶ closed",
    before: stateOf({ phase: refreshing, streams: [stream(1), open(2)], queue: [1] }),
    input: { type: "closed" },
    after: { phase: closed, queue: [] },
    effects: ["abort refresh", "stop 1 2"],
  },
  {
    name: "closed: for good",
    before: stateOf({ phase: closed }),
    input: { type: "restarted" },
    after: { phase: closed },
  },
];

test.each(rows)("$name", ({ before, input, rules: others, after, events = [], effects = [], wakeInMs }) => {
  const answer = step(before, input, { ...rules, ...others }, { now, wall, random: 0.5 });
  expect(answer.state).toMatchObject(after);
  expect(answer.events.map(({ type }) => type)).toEqual(events);
  expect(told(answer.effects)).toEqual(effects);
  expect(wakeAt(answer.state)).toBe(wakeInMs === undefined ? undefined : now + wakeInMs);
});

test("every kind of input has a row", () => {
  const inputs: { readonly [T in Input["type"]]: true } = {
    joined: true,
    "asked again": true,
    left: true,
    lost: true,
    opened: true,
    delivered: true,
    answered: true,
    refreshed: true,
    refused: true,
    "refresh failed": true,
    "refresh due": true,
    paused: true,
    resumed: true,
    verdict: true,
    "retry asked": true,
    "turn came": true,
    adopted: true,
    window: true,
    restarted: true,
    closed: true,
    woken: true,
  };
  expect(new Set(rows.map(({ input }) => input.type))).toEqual(new Set(Object.keys(inputs)));
});
