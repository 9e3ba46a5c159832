import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { ChatService, MessageSchema } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type MethodEntry, method } from "../src/index.js";
import { createPositions, type Run } from "../src/stream/positions.js";
import { createFakeClock } from "../src/testing/index.js";
import { collect, createInMemoryServer, listen } from "./in-memory.js";
import { runsOf } from "./runs.js";

// A server that begins to count anew, and one that repeats what was had: both send positions that do not grow.

const { subscribe } = ChatService.method;
const resume = { resume: (request: object, last: { id: number }) => ({ ...request, afterId: last.id }) };
const position = (message: { id: number }) => message.id;

describe("a stream", () => {
  const clock = createFakeClock();
  afterEach(() => expect(clock.sleepers).toBe(0));

  async function setUp(entry: MethodEntry) {
    const server = createInMemoryServer();
    const session = createSession(server.transport, { clock, methods: [entry] });
    const { lines } = listen(session);
    const { messages } = collect(createClient(ChatService, session).subscribe({}));
    await clock.settle();
    return {
      ...{ server, session },
      texts: () => messages.map(({ text }) => text),
      gaps: () => lines.filter((line) => line.startsWith("streamGap")),
      /** The stream that is served now gets these, one after the other. */
      async send(prefix: string, ...ids: number[]) {
        for (const id of ids) server.streams.at(-1)?.send(id, `${prefix}${id}`);
        await clock.settle();
      },
      async reopen() {
        server.streams.at(-1)?.end(new ConnectError("down", Code.Unavailable));
        await clock.advance(20_000);
      },
    };
  }

  test.each([
    ["that resumes", resume],
    ["with the same request", {}],
  ])("%s gets all of a server that counts from 1 again, and hears of it", async (_, options) => {
    const { session, texts, gaps, send, reopen } = await setUp(method(subscribe, { position, ...options }));
    await send("a", ...Array.from({ length: 1_000 }, (_, index) => index + 1));
    await reopen();
    await send("b", 1, 2, 3);
    expect(texts().slice(1_000)).toEqual(["b1", "b2", "b3"]);
    expect(gaps()).toEqual(["streamGap: 1 missed ?, reset"]);
    await reopen();
    await send("b", 3, 4, 6);
    expect(texts().slice(1_003)).toEqual(["b4", "b6"]);
    expect(gaps()).toHaveLength(1); // 5 is missing within an open stream: its positions have holes
    session.close();
  });

  test("gets a run that is shorter than the one before it, and any number of runs", async () => {
    const { session, texts, gaps, send, reopen } = await setUp(method(subscribe, { position, ...resume }));
    await send("a", 1, 2, 3, 4);
    for (const prefix of ["b", "c"]) {
      await reopen();
      await send(prefix, 1, 2, 3);
    }
    expect(texts().join()).toBe("a1,a2,a3,a4,b1,b2,b3,c1,c2,c3");
    expect(gaps()).toEqual(["streamGap: 1 missed ?, reset", "streamGap: 1 missed ?, reset"]);
    session.close();
  });

  test("drops signs of life at the position of the last message, and hears of a new run after them", async () => {
    const { session, texts, gaps, send, reopen } = await setUp(method(subscribe, { position, ...resume }));
    await send("a", 1, 2, 3);
    await reopen();
    await send("alive", 3, 3);
    expect([texts().join(), gaps()]).toEqual(["a1,a2,a3", []]);
    await send("b", 1, 2);
    expect([texts().join(), gaps()]).toEqual(["a1,a2,a3,b1,b2", ["streamGap: 1 missed ?, reset"]]);
    session.close();
  });

  test("is told a repeat from further back than the last 64 as a new run: nothing is lost without a word", async () => {
    const { session, texts, gaps, send, reopen } = await setUp(method(subscribe, { position, ...resume }));
    await send("a", ...Array.from({ length: 100 }, (_, index) => index + 1));
    await reopen();
    await send("a", 36, 37);
    expect([texts().length, gaps()]).toEqual([102, ["streamGap: 1 missed ?, reset"]]);
    session.close();
  });

  test("drops what comes late within one opening, for only a reopening can find another server", async () => {
    const { session, texts, gaps, send } = await setUp(method(subscribe, { position, ...resume }));
    await send("a", 1, 3);
    await send("late", 2);
    await send("a", 4);
    expect([texts().join(), gaps()]).toEqual(["a1,a3,a4", []]);
    session.close();
  });

  test("whose messages say their run knows a new one for certain, while it is open, too", async () => {
    const run = (message: { text: string }) => message.text.charAt(0);
    const { session, texts, gaps, send, reopen } = await setUp(method(subscribe, { position, run, ...resume }));
    await send("a", 1, 2);
    await send("b", 2, 3);
    await reopen();
    await send("b", 1, 3); // repeats, though 1 was never had
    await send("c", 3, 4, 9); // at the position of the last one, and 5 to 8 are holes of an open stream
    expect(texts().join()).toBe("a1,a2,b2,b3,c3,c4,c9");
    expect(gaps()).toEqual(["streamGap: 1 missed ?, reset", "streamGap: 1 missed ?, reset"]);
    session.close();
  });
});

describe("of servers that repeat and servers that count anew", () => {
  interface Opening {
    /** `back`: repeats so many of the last messages; `first`: all of them; `new`: begins another run. */
    readonly kind: "back" | "first" | "new";
    /** Whether the server was asked to go on. One that was does not repeat all. */
    readonly asked: boolean;
    readonly number: number;
    readonly news: number;
  }
  const opening: fc.Arbitrary<Opening> = fc
    .record({
      kind: fc.constantFrom("back", "first", "new"),
      asked: fc.boolean(),
      number: fc.nat({ max: 64 }),
      news: fc.nat({ max: 90 }),
    })
    .map((drawn) => (drawn.kind === "first" ? { ...drawn, asked: false } : drawn));
  const scenario = fc.record({
    openings: fc.array(opening, { minLength: 1, maxLength: 8 }),
    step: fc.integer({ min: 1, max: 3 }),
    big: fc.boolean(),
  });
  const message = (id: number, run: number) => create(MessageSchema, { id, text: `run ${run}` });

  /** What the caller got, what the servers have sent, and how often a new run was told. */
  function play({ openings, step, big }: typeof scenario extends fc.Arbitrary<infer S> ? S : never, run?: Run) {
    const place = ({ id }: ReturnType<typeof message>) => (big ? BigInt(id) : id);
    const positions = createPositions(subscribe, place as never, run);
    const sent: string[] = [];
    const got: string[] = [];
    let current = { number: 0, ids: [step] };
    let told = 0;
    const take = (id: number) => {
      const next = message(id, current.number);
      const taken = positions.take(next);
      if (taken === "reset") told++;
      if (taken !== "duplicate") got.push(`${next.text} #${id}`);
    };
    const send = (id: number) => {
      sent.push(`run ${current.number} #${id}`);
      take(id);
    };
    send(step);
    let begun = 0;
    for (const { kind, asked, number, news } of openings) {
      positions.reopened(asked);
      const { ids } = current;
      const last = ids.at(-1) ?? 0;
      const lower = Math.min(last - 1, 1 + number);
      if (kind === "new" && (run || lower > 0)) {
        current = { number: current.number + 1, ids: [run ? 1 + number : lower] };
        begun++;
        send(current.ids[0] ?? 0);
      } else {
        const from = kind === "first" ? 0 : Math.max(0, ids.length - number);
        for (const id of ids.slice(from)) take(id);
      }
      for (let more = 0; more < news; more++) {
        const id = (current.ids.at(-1) ?? 0) + step;
        current.ids.push(id);
        send(id);
      }
    }
    return { sent, got, told, begun };
  }

  test("nothing is lost or doubled, and each new run is told once", () => {
    fc.assert(
      fc.property(scenario, (drawn) => {
        const { sent, got, told, begun } = play(drawn);
        expect(got).toEqual(sent);
        expect(told).toBe(begun);
      }),
      { numRuns: runsOf(2_000), seed: 20261130 },
    );
  });

  test("the same holds wherever a new run begins, if the messages say their run", () => {
    fc.assert(
      fc.property(scenario, (drawn) => {
        const { sent, got, told, begun } = play(drawn, (message) => (message as { text?: string }).text);
        expect(got).toEqual(sent);
        expect(told).toBe(begun);
      }),
      { numRuns: runsOf(2_000), seed: 20261130 },
    );
  });
});
