import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatService, MessageSchema } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type SessionOptions } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { collect, listen } from "./in-memory.js";

// What happens when two things happen at once: listeners that act, headers that come late, calls that come and go
// while a probe is on its way. The transport's every answer is in the test's hand, to the microtask.

/** One stream on the transport, which does nothing by itself but end when it is aborted. */
interface HeldCall {
  readonly method: DescMethod;
  readonly over: boolean;
  sendHeaders(): void;
  send(id: number): void;
  finish(): void;
  fail(error: unknown): void;
}

interface HeldTransport extends Transport {
  readonly calls: readonly HeldCall[];
  /** What fails each unary call that was made. */
  readonly unaries: readonly ((error: unknown) => void)[];
}

function createHeldTransport(): HeldTransport {
  const calls: HeldCall[] = [];
  const unaries: ((error: unknown) => void)[] = [];
  const canceled = () => new ConnectError("canceled", Code.Canceled);
  return {
    calls,
    unaries,
    unary: (_method, signal) =>
      new Promise<never>((_, reject) => {
        unaries.push(reject);
        signal?.addEventListener("abort", () => reject(canceled()));
      }),
    stream: (method, signal) =>
      new Promise<never>((resolve, reject) => {
        const inbox: (() => Message | undefined)[] = [];
        let wake = () => {};
        let over = false;
        async function* produce(): AsyncGenerator<Message> {
          for (;;) {
            const item = inbox.shift();
            const message = item?.();
            if (message) yield message;
            else if (item) return;
            else await new Promise<void>((resolve) => (wake = resolve));
          }
        }
        const put = (item: () => Message | undefined) => {
          inbox.push(item);
          wake();
        };
        const call: HeldCall = {
          method,
          get over() {
            return over;
          },
          sendHeaders() {
            const [header, trailer] = [new Headers(), new Headers()];
            resolve({ stream: true, service: method.parent, method, header, trailer, message: produce() } as never);
          },
          send: (id) => put(() => create(MessageSchema, { id })),
          finish() {
            over = true;
            put(() => undefined);
          },
          fail(error) {
            over = true;
            reject(error);
            put(() => {
              throw error;
            });
          },
        };
        signal?.addEventListener("abort", () => call.fail(canceled()));
        calls.push(call);
      }),
  };
}

let clock: FakeClock;
let transport: HeldTransport;
let errors: unknown[];

beforeEach(() => {
  clock = createFakeClock();
  transport = createHeldTransport();
  errors = [];
});

afterEach(async () => {
  await clock.settle();
  expect(clock.sleepers).toBe(0);
  expect(transport.calls.filter(({ over }) => !over)).toEqual([]);
});

function start(options: SessionOptions = {}) {
  const session = createSession(transport, { clock, reportError: (error) => errors.push(error), ...options });
  return { session, chat: createClient(ChatService, session), ...listen(session) };
}

/** A session with `count` open streams, one call each. */
async function startOpen(count: number, options?: SessionOptions) {
  const started = start(options);
  const streams = Array.from({ length: count }, () => collect(started.chat.subscribe({})));
  await clock.settle();
  for (const call of transport.calls) call.sendHeaders();
  await clock.settle();
  return { ...started, streams };
}

const unavailable = () => new ConnectError("down", Code.Unavailable);
const notFound = () => new ConnectError("no such room", Code.NotFound, { "content-type": "application/grpc" });

/** The `n`th stream that reached the transport. */
function call(n: number) {
  const found = transport.calls[n];
  if (!found) throw new Error(`only ${transport.calls.length} calls reached the transport`);
  return found;
}

const subscriptions = () => transport.calls.filter(({ method }) => method === ChatService.method.subscribe).length;

/** All that follows by promises alone, within the same turn of the event loop. */
async function microtasks() {
  for (let i = 0; i < 100; i++) await Promise.resolve();
}

describe("a session that is closed in the middle of a loss", () => {
  test("by a listener stays closed", async () => {
    const { session, chat, streams } = await startOpen(1);
    session.on("streamLost", () => session.close());
    call(0).fail(unavailable());
    expect(await streams[0]?.end).toMatchObject({ code: Code.Canceled });
    expect(session.state.status).toBe("closed");
    expect(await collect(chat.subscribe({})).end).toMatchObject({ code: Code.Canceled });
    await clock.advance(60_000);
    expect(transport.calls).toHaveLength(1);
  });

  test("by a policy function stays closed", async () => {
    const closing = () => {
      session.close();
      return { action: "reconnect", afterMs: 1, why: "as if nothing were" } as const;
    };
    const { session, streams, lines } = await startOpen(1, { policies: { network: closing } });
    call(0).fail(unavailable());
    expect(await streams[0]?.end).toMatchObject({ code: Code.Canceled });
    await clock.advance(60_000);
    expect(session.state.status).toBe("closed");
    expect(transport.calls).toHaveLength(1);
    expect(lines).toEqual(["connected", "streamOpened: 1", "streamEnded: 1 canceled"]);
  });

  test.each(["streamLost", "disconnected", "network"] as const)(
    "by a listener of %s tells the end of the stream last",
    async (type) => {
      const { session, lines } = await startOpen(1);
      session.on(type, () => session.close());
      call(0).fail(unavailable());
      await clock.advance(60_000);
      expect(lines.at(-1)).toBe("streamEnded: 1 canceled");
      expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(1);
    },
  );

  test("by a listener of its recovery tells the end of the stream last, too", async () => {
    const { session, lines } = await startOpen(1);
    session.on("reconnected", () => session.close());
    call(0).fail(unavailable());
    await clock.advance(750);
    call(1).sendHeaders();
    call(1).send(1);
    await clock.advance(1_000);
    expect(lines.slice(-3)).toEqual([
      "reconnected: after 1, gap unknown",
      "streamReopened: 1 gap unknown",
      "streamEnded: 1 canceled",
    ]);
  });
});

describe("headers that come after the others were let in", () => {
  test("tell that the stream and the session are back", async () => {
    const { session, lines } = await startOpen(1);
    call(0).fail(unavailable());
    await clock.advance(750 + 600); // a TLS handshake on a phone takes longer than the others' patience
    expect(session.state.status).toBe("recovering");
    call(1).sendHeaders();
    await clock.settle();
    expect(lines.slice(-2)).toEqual(["reconnected: after 1, gap unknown", "streamReopened: 1 gap unknown"]);
    await clock.advance(120_000);
    expect(lines.filter((line) => line.startsWith("reconnected"))).toHaveLength(1);
    session.close();
  });

  test("are not waited for without end: who is not refused for long enough is back, and that is told once", async () => {
    const { session, lines } = await startOpen(1);
    call(0).fail(unavailable());
    await clock.advance(750 + 500 + 59_999);
    expect(session.state.status).toBe("recovering");
    expect(lines.filter((line) => line.startsWith("reconnected"))).toEqual([]);
    await clock.advance(1);
    expect(session.state.status).toBe("healthy");
    call(1).sendHeaders();
    await clock.settle();
    expect(lines.slice(-2)).toEqual(["reconnected: after 1, gap unknown", "streamReopened: 1 gap unknown"]);
    expect(lines.filter((line) => line.startsWith("reconnected"))).toHaveLength(1);
    session.close();
  });

  test("let the backoff start anew after the same time as any others", async () => {
    const { session, lines } = await startOpen(1);
    call(0).fail(unavailable());
    await clock.advance(750 + 600);
    call(1).sendHeaders();
    await clock.advance(10_000);
    call(1).fail(unavailable());
    await clock.settle();
    expect(lines.filter((line) => line.startsWith("reconnecting"))).toEqual([
      "reconnecting: #1 in 750 ms",
      "reconnecting: #1 in 750 ms",
    ]);
    session.close();
  });

  test("do not come from a prober any more: it and one that followed it are lost once", async () => {
    const { session, lines } = await startOpen(2);
    call(0).fail(unavailable());
    call(1).fail(unavailable());
    await clock.advance(750 + 500);
    expect(transport.calls).toHaveLength(4);
    call(3).fail(unavailable());
    await clock.settle();
    call(2).fail(unavailable());
    await clock.settle();
    expect(lines.filter((line) => line.startsWith("reconnecting"))).toEqual([
      "reconnecting: #1 in 750 ms",
      "reconnecting: #2 in 1500 ms",
    ]);
    session.close();
  });
});

describe("a probe", () => {
  test("without headers lets the others in on time, whatever is lost beside it", async () => {
    const { session, chat } = await startOpen(2);
    call(0).fail(unavailable());
    call(1).fail(unavailable());
    await clock.advance(750);
    expect(subscriptions()).toBe(3);
    await clock.advance(300);
    collect(chat.talk(says("hello"))); // is not reopened, and so does not wait
    await clock.settle();
    transport.calls.at(-1)?.fail(unavailable());
    await clock.advance(199);
    expect(subscriptions()).toBe(3);
    await clock.advance(1);
    expect(subscriptions()).toBe(4);
    session.close();
  });

  test("with headers counts as let in on time, whoever comes and goes beside it", async () => {
    const { session, chat } = await startOpen(1);
    call(0).fail(unavailable());
    await clock.advance(750);
    call(1).sendHeaders();
    await clock.advance(150);
    const passing = new AbortController();
    collect(chat.subscribe({}, { signal: passing.signal }));
    await clock.settle();
    passing.abort();
    await clock.advance(49);
    expect(session.state.status).toBe("probing");
    await clock.advance(1);
    expect(session.state.status).toBe("recovering");
    session.close();
  });

  test("that is answered by a complete stream tells that the session is back", async () => {
    const { lines, streams } = await startOpen(1);
    call(0).fail(unavailable());
    await clock.advance(750);
    call(1).sendHeaders();
    call(1).finish();
    expect(await streams[0]?.end).toBeUndefined();
    expect(lines.slice(-3)).toEqual([
      "reconnected: after 1, gap unknown",
      "streamReopened: 1 gap unknown",
      "streamEnded: 1 complete",
    ]);
  });

  test("that is answered by an application error tells so as well, for the path is open", async () => {
    const { session, lines, streams } = await startOpen(1);
    call(0).fail(unavailable());
    await clock.advance(750);
    call(1).fail(notFound());
    expect(await streams[0]?.end).toMatchObject({ code: Code.NotFound });
    expect(lines.slice(-2)).toEqual(["reconnected: after 1, gap unknown", "streamEnded: 1 failed"]);
    await clock.advance(10_000);
    expect(session.state.status).toBe("idle");
  });

  test("that fails is followed by the next one, even if policy and error report both throw", async () => {
    let broken = false;
    const { session } = await startOpen(2, {
      headersTimeoutMs: 60_000,
      reportError: (error) => {
        errors.push(error);
        throw error;
      },
      policies: {
        network: () => {
          if (broken) throw new Error("the policy is broken");
          return { action: "reconnect", afterMs: 1, why: "at once" };
        },
      },
    });
    call(0).fail(unavailable());
    call(1).fail(unavailable());
    await clock.advance(1);
    broken = true;
    call(2).fail(unavailable());
    await clock.advance(1_500);
    expect(errors).toEqual([new Error("the policy is broken")]);
    expect(transport.calls).toHaveLength(4);
    session.close();
  });
});

describe("right after a connection has failed", () => {
  const reset = () => new ConnectError("read ECONNRESET", Code.Unavailable);

  test("a stream that is let in waits for the turn of its own failure to end", async () => {
    const { session } = await startOpen(2);
    call(0).fail(reset());
    await clock.advance(750);
    call(2).sendHeaders();
    await clock.settle();
    call(1).fail(reset());
    call(2).send(1); // lets it in at once
    await microtasks();
    expect(session.state.status).toBe("recovering");
    expect(transport.calls).toHaveLength(3);
    await clock.settle();
    expect(transport.calls).toHaveLength(4);
    session.close();
  });

  test("a stream that waited already and is let in waits for that turn to end as well", async () => {
    const { session } = await startOpen(3);
    call(0).fail(reset());
    call(1).fail(reset());
    await clock.advance(750);
    call(3).sendHeaders();
    await clock.settle();
    call(2).fail(reset());
    call(3).send(1);
    await microtasks();
    expect(session.state.status).toBe("recovering");
    expect(transport.calls).toHaveLength(4);
    await clock.settle();
    expect(transport.calls).toHaveLength(6);
    session.close();
  });

  test("a stream that leaves while it is held back is waited for by nobody", async () => {
    const { session, chat } = start({ headersTimeoutMs: 60_000 });
    const leaving = new AbortController();
    const { end } = collect(chat.subscribe({}, { signal: leaving.signal }));
    await clock.settle();
    call(0).fail(reset());
    await microtasks();
    leaving.abort();
    expect(await end).toMatchObject({ code: Code.Canceled });
    await clock.settle();
    expect(clock.sleepers).toBe(0);
    collect(chat.subscribe({}));
    await clock.advance(1);
    expect(transport.calls).toHaveLength(2);
    session.close();
  });

  test("a stream that is held back joins an outage that begins meanwhile", async () => {
    const { session, chat } = await startOpen(2, { policies: { aborted: "stop" } });
    call(0).fail(new ConnectError("Stream closed with error code NGHTTP2_INTERNAL_ERROR", Code.Internal));
    await microtasks();
    collect(chat.subscribe({}));
    await microtasks();
    call(1).fail(reset());
    await clock.settle();
    expect(session.state.status).toBe("waiting");
    expect(transport.calls).toHaveLength(2);
    session.close();
  });

  test("a unary call that is held back does not go out after a verdict", async () => {
    const { session, chat } = await startOpen(2);
    call(0).fail(reset());
    await microtasks();
    const saying = chat.say({}).catch((error: unknown) => error);
    const verdict = toConnectError({ reason: "banned" });
    call(1).fail(verdict);
    await clock.settle();
    expect(transport.unaries).toHaveLength(0);
    expect(await saying).toBe(verdict);
    expect(session.state.status).toBe("ended");
  });

  test("a unary call that is held back does not go out after the session was closed", async () => {
    const { session, chat } = await startOpen(1);
    call(0).fail(reset());
    await microtasks();
    const saying = chat.say({}).catch((error: unknown) => error);
    session.close();
    await clock.settle();
    expect(transport.unaries).toHaveLength(0);
    expect(await saying).toMatchObject({ code: Code.Canceled, rawMessage: "the session is closed" });
  });
});

test("a verdict on a call of the login before does not end the new one", async () => {
  const { session, chat, streams } = await startOpen(1);
  const saying = chat.say({}).catch((error: unknown) => error);
  await clock.settle();
  call(0).fail(toConnectError({ reason: "superseded" }));
  await streams[0]?.end;
  session.restart();
  const late = toConnectError({ reason: "superseded" });
  transport.unaries[0]?.(late);
  expect(await saying).toBe(late);
  expect(session.state.status).toBe("idle");
});

test("a call that is made after the session gave up gets as many attempts as the one before", async () => {
  const network = { maxAttempts: 2, initialMs: 100, maxMs: 100, jitter: "none" } as const;
  const { chat } = start({ rateLimit: false, policies: { network } });
  for (const attempts of [3, 6]) {
    const { end } = collect(chat.subscribe({}));
    await clock.settle();
    while (transport.calls.at(-1)?.over === false) {
      transport.calls.at(-1)?.fail(unavailable());
      await clock.advance(100);
    }
    expect(await end).toMatchObject({ code: Code.Unavailable });
    expect(transport.calls).toHaveLength(attempts);
  }
});

test("a call's own deadline is no outage, even if the server is the first to notice", async () => {
  const { session, chat, lines } = start();
  const waiting = collect(chat.subscribe({ room: "a" }, { timeoutMs: 10_000 }));
  const reading = collect(chat.subscribe({ room: "b" }, { timeoutMs: 10_000 }));
  await clock.settle();
  call(1).sendHeaders();
  await clock.advance(9_995);
  const expired = new ConnectError("deadline", Code.DeadlineExceeded, { "content-type": "application/grpc" });
  call(0).fail(expired);
  call(1).fail(expired);
  await clock.settle();
  expect(session.state.status).toBe("idle");
  expect(await waiting.end).toBe(expired);
  expect(await reading.end).toBe(expired);
  expect(lines.filter((line) => !line.startsWith("stream"))).toEqual(["connected"]);
});

async function* says(text: string) {
  yield { text };
}
