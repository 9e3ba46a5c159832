import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ChatService, MessageSchema } from "../examples/gen/chat/v1/chat_pb.js";
import { controlStream } from "../src/control-stream/index.js";
import { OpenResponseSchema } from "../src/gen/farewell/v1/control_stream_pb.js";
import { createClient, createSession, method, reauthenticated, retried } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { runsOf } from "./runs.js";
import { pick, seeded } from "./seeded.js";

// Servers that say and do whatever comes to their mind, at random but from a seed. Whatever they do, nothing that goes out
// escapes the session's budget: attempts, calls of the control stream, refreshes, unary calls.

const limit = { burst: 4, perMs: 40_000 };
const minute = 60_000;
const runMs = 2 * minute;

/** What went out, when. */
interface Out {
  readonly attempts: number[];
  readonly controlStreams: number[];
  readonly refreshes: number[];
  readonly unary: number[];
}

type Random = () => number;

/** Times that a server may come to think of, in ms from now. */
const moments = [-365 * 24 * 60 * minute, -1, 0, 1, 999, 1_000, 1_001, 3_000, 20_000, 365 * 24 * 60 * minute];
const texts = ["-1", "0", "NaN", "9e99", "9".repeat(400), "1", ""];

function hostileError(random: Random, clock: FakeClock): ConnectError {
  const chance = random();
  if (chance < 0.3) {
    const reason = pick(random, ["maintenance", "throttled"] as const);
    const retryAt = random() < 0.2 ? undefined : new Date(clock.now() + pick(random, moments));
    return toConnectError({ reason, retryAt, reserved: random() < 0.6 }, clock.now());
  }
  if (chance < 0.45) return toConnectError({ reason: pick(random, ["unauthenticated", "aborted", "network"]) });
  if (chance < 0.7) {
    const metadata = { "grpc-retry-pushback-ms": pick(random, texts), "retry-after": pick(random, texts) };
    return new ConnectError("later", pick(random, [Code.Unavailable, Code.ResourceExhausted]), metadata);
  }
  if (chance < 0.8) return new ConnectError("no", pick(random, [Code.Unauthenticated, Code.Internal]), { a: "b" });
  return new ConnectError("Stream closed with error code NGHTTP2_INTERNAL_ERROR", Code.Internal);
}

const durationOf = (ms: number) => ({ seconds: BigInt(Math.trunc(ms / 1_000)), nanos: (ms % 1_000) * 1e6 });

function welcome(random: Random): object {
  const ms = () => pick(random, [...moments, 100, 15_000]);
  return {
    ...(random() < 0.8 && { heartbeatInterval: durationOf(ms()) }),
    ...(random() < 0.8 && { returnWindow: durationOf(ms()) }),
    headersAtAdmission: random() < 0.3,
  };
}

function announcement(random: Random): object {
  if (random() < 0.3) return { case: "heartbeat", value: {} };
  const reason = { case: pick(random, ["maintenance", "unauthenticated", "throttled", "network"]), value: {} };
  const value = { disconnect: { reason }, after: durationOf(pick(random, moments)) };
  return { case: pick(random, ["notice", "notice", "verdict"]), value };
}

/** A few messages, with pauses or without, and then an end, or none. */
async function* messages(random: Random, clock: FakeClock, signal: AbortSignal, make: (n: number) => unknown) {
  const count = Math.floor(random() * 5);
  for (let n = 1; n <= count; n++) {
    yield make(n);
    if (random() < 0.5) await clock.sleep(pick(random, [1, 150, 2_000, 12_000]), signal);
  }
  const chance = random();
  if (chance < 0.15) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  if (chance < 0.5) await clock.sleep(pick(random, [1, 1_000, 11_000]), signal);
  if (chance < 0.9) throw hostileError(random, clock);
}

function hostileTransport(random: Random, clock: FakeClock, out: Out): Transport {
  const response = { service: ChatService, header: new Headers({ a: "b" }), trailer: new Headers() };
  const delay = async (signal: AbortSignal | undefined) => {
    if (random() < 0.3) await clock.sleep(pick(random, [1, 400, 700, 20_000]), signal);
  };
  return {
    async stream(method: { readonly name: string }, given: AbortSignal | undefined) {
      const signal = given ?? new AbortController().signal;
      const ofControl = method.name === "Open";
      (ofControl ? out.controlStreams : out.attempts).push(clock.monotonic());
      await delay(signal);
      if (random() < (ofControl ? 0.2 : 0.4)) throw hostileError(random, clock);
      let sequence = 0;
      const make = ofControl
        ? () =>
            create(OpenResponseSchema, {
              event: sequence++ === 0 ? { case: "welcome", value: welcome(random) } : announcement(random),
            } as never)
        : (id: number) => create(MessageSchema, { id });
      return { ...response, stream: true, method, message: messages(random, clock, signal, make) };
    },
    async unary(method: { readonly name: string }, signal: AbortSignal | undefined) {
      out.unary.push(clock.monotonic());
      await delay(signal);
      if (random() < 0.6) throw hostileError(random, clock);
      return { ...response, stream: false, method, message: create(MessageSchema, { id: 1 }) };
    },
  } as unknown as Transport;
}

function hostileRefresh(random: Random, clock: FakeClock, out: Out) {
  return async (signal: AbortSignal) => {
    out.refreshes.push(clock.monotonic());
    if (random() < 0.3) await clock.sleep(pick(random, [1, 5_000, 60_000]), signal);
    if (random() < 0.2) throw hostileError(random, clock);
    return random() < 0.7 ? { expiresAt: new Date(clock.now() + pick(random, moments)) } : true;
  };
}

/** A session with a stream and a call now and then, for some minutes with a server that is as the seed says. */
async function play(seed: number): Promise<{ readonly out: Out; readonly asked: number }> {
  const random = seeded(seed);
  const clock = createFakeClock({ random });
  const out: Out = { attempts: [], controlStreams: [], refreshes: [], unary: [] };
  const { say, subscribe } = ChatService.method;
  // Where the policies hardly wait, the rate limit alone holds a session back.
  const eager = random() < 0.8 && ({ initialMs: 1, maxMs: 2, maxServerMs: 4_000 } as const);
  const forEver = { ...eager, maxAttempts: null };
  const session = createSession(hostileTransport(random, clock, out), {
    ...{ clock, rateLimit: limit, reportError: () => {}, refreshTimeoutMs: 10_000 },
    refresh: hostileRefresh(random, clock, out),
    extensions: [controlStream()],
    methods: [
      method(subscribe, { endless: true, idleTimeoutMs: 5_000 }),
      random() < 0.5 ? retried(say) : reauthenticated(say),
    ],
    policies: Object.fromEntries(
      ["unauthenticated", "maintenance", "throttled", "aborted", "network"].map((reason) => [reason, forEver]),
    ),
    ...(random() < 0.3 && { headersTimeoutMs: 5_000 }),
  });
  const chat = createClient(ChatService, session);
  const following = (async () => {
    for await (const _ of chat.subscribe({}));
  })().catch(() => {});
  let asked = 0;
  let calling: Promise<unknown> | undefined;
  for (let passedMs = 0; passedMs < runMs; passedMs += 5_000) {
    if (!calling) {
      asked++;
      calling = chat.say({}, { timeoutMs: 30_000 }).then(
        () => (calling = undefined),
        () => (calling = undefined),
      );
    }
    await clock.advance(5_000);
  }
  session.close();
  await following;
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  return { out, asked };
}

/** In any span, no more than so many at once, and so many more for each token's time. */
function within(what: string, times: readonly number[], atOnce: number, perToken: number): void {
  const tokenMs = limit.perMs / limit.burst;
  times.forEach((from, first) => {
    times.slice(first).forEach((to, further) => {
      const most = atOnce + (perToken * (to - from)) / tokenMs;
      if (further + 1 > most + 1e-6) throw new Error(`${further + 1} ${what} in ${to - from} ms, from ${from} ms on`);
    });
  });
}

const runs = runsOf(runsOf(500)); // some milliseconds each

test(`${runs} hostile servers bring no session to call more often than its rate limit allows`, async () => {
  let [attempts, controlStreams, refreshes, unary] = [0, 0, 0, 0];
  for (let seed = 1; seed <= runs; seed++) {
    try {
      const { out, asked } = await play(seed);
      // The first opening is the app's. Where times are reserved, a burst more is lent.
      within("attempts", out.attempts, 1 + 2 * limit.burst, 1);
      within("calls of the control stream", out.controlStreams, limit.burst, 1);
      // For streams and calls that were refused, for calls alone, and ahead of an end.
      within("refreshes", out.refreshes, 1 + 4 * limit.burst, 3);
      // A call takes part in outages as a stream does: with each attempt that is let in it goes out once more.
      const most = asked + 2 * (1 + 2 * limit.burst + (runMs * limit.burst) / limit.perMs);
      expect(out.unary.length).toBeLessThanOrEqual(most);
      attempts += out.attempts.length;
      controlStreams += out.controlStreams.length;
      refreshes += out.refreshes.length;
      unary += out.unary.length;
    } catch (error) {
      throw new Error(`the server with seed ${seed}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
  // What never went out says nothing.
  for (const many of [attempts, controlStreams, refreshes, unary]) expect(many).toBeGreaterThan(2 * runs);
}, 900_000);
