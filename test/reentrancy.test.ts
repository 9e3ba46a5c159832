import { create, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { ChatService, MessageSchema } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, method, type SessionEvents, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect } from "./in-memory.js";
import { runsOf } from "./runs.js";

// Listeners may do anything that an app can do, in the middle of anything that a session does. Here they do it at
// random but from a seed, while a server and a caller do their worst as well.

const heard = [
  ...(["kicked", "unauthenticated", "maintenance", "network"] as const),
  ...(["connected", "disconnected", "reconnecting", "reconnected", "ended"] as const),
  ...(["streamOpened", "streamLost", "streamReopened", "streamEnded"] as const),
] as const satisfies readonly (keyof SessionEvents)[];

/** What a listener does when it hears an event for the `nth` time. */
interface Reaction {
  readonly type: (typeof heard)[number];
  readonly nth: number;
  readonly does: "close" | "restart" | "retry" | "notice" | "cancel" | "open" | "open in a microtask";
}

/** What the server answers to one of the calls that are on their way. */
const answers = ["headers", "message", "finish", "lost", "kicked", "expired", "maintenance", "not found"] as const;

/** What the caller does. */
const deeds = ["subscribe", "talk", "say", "cancel", "restart", "retry", "nothing"] as const;

interface Step {
  readonly does: (typeof answers)[number] | (typeof deeds)[number];
  /** Which call or stream it does it to. */
  readonly to: number;
  readonly thenMs: number;
}

const plan = fc.record({
  openTimeout: fc.boolean(),
  silence: fc.boolean(),
  finite: fc.boolean(),
  rateLimit: fc.boolean(),
  maxAttempts: fc.constantFrom(null, 1, 2),
  refresh: fc.constantFrom("succeeds", "signs out", "hangs", "none"),
  reactions: fc.array(
    fc.record<Reaction>({
      type: fc.constantFrom(...heard),
      nth: fc.nat(2),
      does: fc.constantFrom("close", "restart", "retry", "notice", "cancel", "open", "open in a microtask"),
    }),
    { maxLength: 4 },
  ),
  steps: fc.array(
    fc.record<Step>({
      // Verdicts end a session, and with it what there is to test: losses come more often.
      does: fc.constantFrom(...answers, ...deeds, ...(["lost", "lost", "subscribe", "subscribe"] as const)),
      to: fc.nat(5),
      thenMs: fc.constantFrom(0, 1, 50, 200, 500, 750, 3_000, 20_000),
    }),
    { minLength: 5, maxLength: 40 },
  ),
  recovers: fc.constantFrom(true, true, true, false),
});
type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never;

const runs = runsOf(1_500);

test("listeners that act at random, amid random faults, break no promise of the session", async () => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // stack traces of what is thrown on purpose are a good part of the work
  onTestFinished(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  let recoveries = 0;
  await fc.assert(
    fc.asyncProperty(plan, async (plan) => {
      const { broken, recovered } = await run(plan);
      expect(broken).toEqual([]);
      if (recovered) recoveries++;
    }),
    { numRuns: runs, seed: 20260102 },
  );
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
  expect(recoveries).toBeGreaterThan(runs / 10);
});

/** Carries out one plan: which promises were broken, and whether streams were there to recover with the server. */
async function run(plan: Plan): Promise<{ readonly broken: readonly string[]; readonly recovered: boolean }> {
  const clock = createFakeClock();
  const broken = new Set<string>();
  const closed = () => session.state.status === "closed";
  const server = createServer(clock, () => {
    if (closed()) broken.add("a call went out after the close");
  });
  const session = createSession(server.transport, { clock, ...optionsOf(plan) });
  const chat = createClient(ChatService, session);
  const callers: AbortController[] = [];
  let unsettled = 0;

  const open = (kind: "subscribe" | "talk") => {
    const caller = new AbortController();
    const { signal } = caller;
    callers.push(caller);
    unsettled++;
    const stream = kind === "talk" ? chat.talk(quietAfter("hello"), { signal }) : chat.subscribe({}, { signal });
    collect(stream).end.then(() => unsettled--);
  };
  const restart = () => {
    if (!closed()) session.restart();
  };
  const react = (does: Reaction["does"]) => {
    if (does === "close") session.close();
    if (does === "restart") restart();
    if (does === "retry") session.retry();
    if (does === "notice") session.notice({ reason: "maintenance" });
    if (does === "cancel") callers.at(-1)?.abort();
    if (does === "open") open("subscribe");
    if (does === "open in a microtask") queueMicrotask(() => open("subscribe"));
  };

  const times = new Map<string, number>();
  const ended = new Set<number>();
  let silent = false; // closed, and all that was to be told of it is told
  for (const type of heard) {
    session.on(type, (payload) => {
      if (silent) broken.add(`${type} was told after the close`);
      const stream = "stream" in payload ? payload.stream.id : undefined;
      if (stream !== undefined && ended.has(stream)) broken.add(`${type} was told of a stream that had ended`);
      if (stream !== undefined && type === "streamEnded") ended.add(stream);
      const nth = times.get(type) ?? 0;
      times.set(type, nth + 1);
      for (const reaction of plan.reactions) if (reaction.type === type && reaction.nth === nth) react(reaction.does);
    });
  }

  open("subscribe");
  await clock.settle();
  for (const { does, to, thenMs } of plan.steps) {
    if (does === "subscribe" || does === "talk") open(does);
    else if (does === "say") chat.say({}).catch(() => {});
    else if (does === "cancel") callers[to % callers.length]?.abort();
    else if (does === "restart") restart();
    else if (does === "retry") session.retry();
    else if (does !== "nothing") server.answer(to, does);
    if (thenMs > 0) await clock.advance(thenMs);
    else await Promise.resolve();
    if (silent && !closed()) broken.add("the session came back to life");
    silent = closed();
  }

  // From now on the server serves: every stream that still wants to must get through.
  const atWork = () => !["ended", "closed", "refreshing"].includes(session.state.status);
  const waiting = () => atWork() && server.liveStreams < unsettled;
  const recovers = plan.recovers && waiting();
  for (let second = 0; recovers && second < 300 && waiting(); second++) {
    server.answerAll("message");
    await clock.advance(1_000);
  }
  if (recovers && waiting()) broken.add(`${session.state.status}: a stream was stuck`);

  session.close();
  await clock.settle();
  if (unsettled > 0) broken.add("a loop did not end");
  if (server.live > 0) broken.add("a call was not aborted");
  if (clock.sleepers > 0) broken.add("a timer was left behind");
  return { broken: [...broken], recovered: recovers };
}

function optionsOf({ openTimeout, silence, finite, rateLimit, maxAttempts, refresh }: Plan): SessionOptions {
  const never = () => new Promise<never>(() => {});
  return {
    rateLimit: rateLimit ? { burst: 5, perMs: 60_000 } : false,
    policies: { network: { maxAttempts } },
    methods: [method(ChatService.method.subscribe, { finite, ...(silence && { idleTimeoutMs: 10_000 }) })],
    ...(openTimeout && { headersTimeoutMs: 5_000 }),
    ...(refresh !== "none" && { refresh: refresh === "hangs" ? never : async () => refresh === "succeeds" }),
    reportError: (error) => {
      throw error; // an error report that fails as well
    },
  };
}

async function* quietAfter(text: string) {
  yield { text };
  await new Promise(() => {});
}

/** A server that answers its calls, streams and unary ones, only as it is told. */
function createServer(clock: FakeClock, called: () => void) {
  type Answer = (typeof answers)[number];
  const calls: { readonly streams: boolean; over: boolean; answer(answer: Answer): void }[] = [];
  const live = () => calls.filter(({ over }) => !over);
  const canceled = () => new ConnectError("canceled", Code.Canceled);

  const errorFor = (answer: Answer): ConnectError | undefined => {
    const retryAt = new Date(clock.now() + 5_000);
    if (answer === "lost") return new ConnectError("connect ECONNREFUSED", Code.Unavailable);
    if (answer === "kicked") return toConnectError({ reason: "kicked" });
    if (answer === "expired") return new ConnectError("expired", Code.Unauthenticated, { a: "b" });
    if (answer === "maintenance") return toConnectError({ reason: "maintenance", retryAt }, clock.now());
    if (answer === "not found") return new ConnectError("no such room", Code.NotFound, { a: "b" });
    return undefined;
  };

  const transport: Transport = {
    unary: (_method, signal) =>
      new Promise<never>((_, reject) => {
        called();
        const call = {
          streams: false,
          over: false,
          answer(answer: Answer) {
            const error = errorFor(answer);
            call.over ||= error !== undefined;
            if (error) reject(error);
          },
        };
        calls.push(call);
        signal?.addEventListener("abort", () => {
          call.over = true;
          reject(canceled());
        });
      }),
    stream: (method, signal) =>
      new Promise<never>((resolve, reject) => {
        called();
        const inbox: (Message | ConnectError | "end")[] = [];
        let wake = () => {};
        let id = 0;
        async function* produce(): AsyncGenerator<Message> {
          for (;;) {
            const item = inbox.shift();
            if (item === "end") return;
            if (item instanceof ConnectError) throw item;
            if (item) yield item;
            else await new Promise<void>((resolve) => (wake = resolve));
          }
        }
        const fail = (error: ConnectError) => {
          call.over = true;
          reject(error);
          inbox.push(error);
          wake();
        };
        const call = {
          streams: true,
          over: false,
          answer(answer: Answer) {
            const error = errorFor(answer);
            if (error) return fail(error);
            const [header, trailer] = [new Headers(), new Headers()];
            resolve({ stream: true, service: method.parent, method, header, trailer, message: produce() } as never);
            if (answer === "message") inbox.push(create(MessageSchema, { id: ++id }));
            if (answer === "finish") inbox.push("end");
            call.over = answer === "finish";
            wake();
          },
        };
        calls.push(call);
        signal?.addEventListener("abort", () => fail(canceled()));
      }),
  };
  return {
    transport,
    /** Calls that were neither answered for good nor aborted. */
    get live() {
      return live().length;
    },
    get liveStreams() {
      return live().filter(({ streams }) => streams).length;
    },
    answer(to: number, answer: Answer) {
      const waiting = live();
      waiting[to % waiting.length]?.answer(answer);
    },
    answerAll(answer: Answer) {
      for (const call of live()) call.answer(answer);
    },
  };
}
