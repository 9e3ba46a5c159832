import { create, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { ChatService, MessageSchema, type SubscribeRequest } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, method } from "../src/index.js";
import { toConnectError } from "../src/server/index.js";
import { createFakeClock } from "../src/testing/index.js";
import { collect, listen } from "./in-memory.js";
import { runsOf } from "./runs.js";

// A transport that fails in every way that a real one was seen to fail, at random but from a seed, against a log of
// messages 1, 2, 3, …: whatever happens, the caller sees each message once and in order.

type Fault =
  | { readonly kind: "throws"; readonly code: Code; readonly text: string; readonly local: boolean }
  | { readonly kind: "spoken"; readonly reason: "maintenance" | "throttled" | "unauthenticated" }
  | { readonly kind: "ends" | "hangs" };

/** One attempt: after `messages` (none: before the headers), of which the first `replayed` were seen before. */
interface Attempt {
  readonly messages: number;
  readonly replayed: number;
  readonly fault: Fault;
}

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc
    .constantFrom<[Code, string, boolean]>(
      [Code.Unavailable, "connect ECONNREFUSED", true],
      [Code.Canceled, "http/2 stream closed with error code CANCEL (0x8)", true],
      [Code.Internal, "Stream closed with error code NGHTTP2_INTERNAL_ERROR", true],
      [Code.InvalidArgument, "protocol error: missing EndStreamResponse", true],
      [Code.Unavailable, "PING timed out", true],
      [Code.Unavailable, "HTTP 503", false],
      [Code.Internal, "handler bug", false],
      [Code.Unknown, "", false],
      [Code.ResourceExhausted, "slow down", false],
    )
    .map(([code, text, local]) => ({ kind: "throws" as const, code, text, local })),
  fc
    .constantFrom("maintenance" as const, "throttled" as const, "unauthenticated" as const)
    .map((reason) => ({ kind: "spoken" as const, reason })),
  fc.constantFrom("ends" as const, "hangs" as const).map((kind) => ({ kind })),
);

const attempt: fc.Arbitrary<Attempt> = fc.record({ messages: fc.nat(5), replayed: fc.nat(3), fault });

/** How the caller, or the server, makes an end of it. */
const finale = fc.constantFrom("break", "abort", "close", "kicked" as const);

const runs = runsOf(250);
const faultsPerRun = 40; // 250 × 40 = 10,000

test(`${runs * faultsPerRun} random faults lose no message, repeat none, leak nothing, and end every stream once`, async () => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // stack traces of what is thrown on purpose are a third of the work
  onTestFinished(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  let injected = 0;
  const plan = fc.record({
    attempts: fc.array(attempt, { minLength: faultsPerRun, maxLength: faultsPerRun }),
    streams: fc.integer({ min: 1, max: 4 }),
    finale,
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ attempts, streams, finale }) => {
      const clock = createFakeClock();
      const faults = attempts.values();
      const signals: (AbortSignal | undefined)[] = [];
      const handedOver = new Map<string, number>(); // by room: the highest message that the transport gave out
      const faulty: Transport = {
        unary: () => Promise.reject(new Error("not called here")),
        async stream(desc, signal, _timeoutMs, _header, input) {
          let request: SubscribeRequest | undefined;
          for await (const first of input) request = first as unknown as SubscribeRequest;
          signals.push(signal);
          const next = faults.next();
          if (next.done === false) injected++;
          const { messages, replayed, fault } = next.value ?? { messages: 0, replayed: 0, fault: undefined };
          if (fault && messages === 0) await fail(fault, signal);
          const after = request?.afterId ?? 0;
          const ids = Array.from({ length: messages }, (_, index) => Math.max(0, after - replayed) + index + 1);
          async function* produce(): AsyncGenerator<Message> {
            for (const id of ids) {
              const room = request?.room ?? "";
              handedOver.set(room, Math.max(id, handedOver.get(room) ?? 0));
              yield create(MessageSchema, { id });
            }
            if (fault) await fail(fault, signal);
            else await serve(signal);
          }
          return {
            stream: true,
            service: desc.parent,
            method: desc,
            header: new Headers(),
            trailer: new Headers(),
            message: produce(),
          } as never;
        },
      };
      let over = finale === "kicked" ? toConnectError({ reason: "kicked" }) : undefined;
      /** When the faults are used up, the server waits for the end of the test. */
      function serve(signal: AbortSignal | undefined): Promise<void> {
        return new Promise((_, reject) => {
          if (over) reject(over);
          signal?.addEventListener("abort", () => reject(signal.reason));
        });
      }
      async function fail(fault: Fault, signal: AbortSignal | undefined): Promise<void> {
        switch (fault.kind) {
          case "throws":
            throw new ConnectError(fault.text, fault.code, fault.local ? {} : { "content-type": "application/grpc" });
          case "spoken":
            throw toConnectError({ reason: fault.reason }, clock.now());
          case "ends":
            return;
          case "hangs":
            return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
        }
      }

      const patient = { maxAttempts: null };
      const session = createSession(faulty, {
        clock,
        rateLimit: false,
        refresh: async () => true,
        headersTimeoutMs: 5_000,
        policies: { aborted: patient, unauthenticated: patient },
        methods: [
          method(ChatService.method.subscribe, {
            endless: true,
            idleTimeoutMs: 30_000,
            resume: (request, last) => ({ ...request, afterId: last.id }),
            position: (message) => message.id,
          }),
        ],
      });
      const { lines } = listen(session);
      const chat = createClient(ChatService, session);
      const controller = new AbortController();
      const readers = Array.from({ length: streams }, (_, index) =>
        collect(chat.subscribe({ room: `${index}` }, { signal: controller.signal })),
      );
      const iterator = chat.subscribe({})[Symbol.asyncIterator]();
      const reading = iterator.next().catch(() => {});
      const before = injected;
      for (let waits = 0; injected < before + faultsPerRun && waits < 10 * faultsPerRun; waits++)
        await clock.advance(20_000);
      await clock.advance(200_000); // until all have what they were sent last

      if (finale === "break") await iterator.return?.();
      if (finale === "abort") controller.abort();
      if (finale !== "kicked") session.close();
      over ??= toConnectError({ reason: "kicked" });
      await clock.advance(60_000);
      session.close();
      await Promise.all([reading, ...readers.map(({ end }) => end)]);
      await clock.settle();

      readers.forEach(({ messages }, room) => {
        const ids = messages.map(({ id }) => id);
        expect(ids).toEqual(ids.map((_, index) => index + 1));
        // A verdict ends the other streams at once, also in the middle of a message.
        if (finale !== "kicked") expect(ids.length).toBe(handedOver.get(`${room}`) ?? 0);
      });
      expect(signals.every((signal) => signal?.aborted)).toBe(true);
      expect(lines.filter((line) => line.startsWith("streamEnded"))).toHaveLength(streams + 1);
      expect(lines.filter((line) => line.startsWith("streamGap"))).toEqual([]);
      expect(clock.sleepers).toBe(0);
    }),
    { numRuns: runs, seed: 20260101 },
  );
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
  expect(injected).toBeGreaterThanOrEqual(runs * faultsPerRun * 0.99);
});
