import {
  Code,
  ConnectError,
  createClient as createConnectClient,
  createContextKey,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, disconnectOf, method } from "../../src/index.js";
import { toConnectError } from "../../src/server/index.js";
import { createFakeClock } from "../../src/testing/index.js";
import { collect } from "../in-memory.js";
import { someOf } from "../runs.js";
import { type ClientName, clients } from "./clients.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { read, sessionAtServer, twoThenSilence } from "./session-at.js";

// One call of the caller, several on the wire: what goes with each, and what the caller gets of them.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(someOf(names, 1))("to %s,", (name) => {
  const client = clients[name];

  test.each([
    ["ours", createClient],
    ["Connect's", createConnectClient],
  ] as const)(
    "onHeader gets the headers of the first open, onTrailer the trailers of the last end, by the client that is %s",
    async (_, create) => {
      let attempt = 0;
      const { session } = await sessionAtServer(own, client, {
        async *subscribe(_, { responseHeader, responseTrailer }) {
          attempt++;
          responseHeader.set("x-attempt", String(attempt));
          responseTrailer.set("x-attempt", String(attempt));
          yield { id: attempt };
          if (attempt < 3) throw new ConnectError("down", Code.Unavailable);
        },
      });
      const seen: string[] = [];
      const stream = (create as typeof createConnectClient)(ChatService, session).subscribe(
        {},
        {
          onHeader: (header) => seen.push(`header ${header.get("x-attempt")}`),
          onTrailer: (trailer) => seen.push(`trailer ${trailer.get("x-attempt")}`),
        },
      );
      for await (const { id } of stream) seen.push(`message ${id}`);
      expect(seen).toEqual(["header 1", "message 1", "message 2", "message 3", "trailer 3"]);
    },
  );

  test("timeoutMs counts for all attempts together, and the server is told what is left", async () => {
    const left: number[] = [];
    const clock = createFakeClock();
    const { chat, lines } = await sessionAtServer(
      own,
      client,
      {
        // biome-ignore lint/correctness/useYield: it ends before its first message
        async *subscribe(_, { timeoutMs }) {
          left.push(timeoutMs() ?? Number.NaN);
          throw new ConnectError("down", Code.Unavailable);
        },
      },
      { clock, policies: { network: { initialMs: 20_000, factor: 1, jitter: "none" } } },
    );
    const { end } = collect(chat.subscribe({}, { timeoutMs: 60_000 }));
    for (let attempts = 1; attempts <= 3; attempts++) {
      await vi.waitFor(
        () => expect(lines.filter((line) => line.startsWith("reconnecting"))).toHaveLength(attempts),
        patience,
      );
      await clock.advance(20_000);
    }
    const error = await end;
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: "the operation timed out" });
    expect(disconnectOf(error)).toBeUndefined();
    expect(left).toHaveLength(3);
    for (const [index, ms] of left.entries()) expect(ms).toBeLessThanOrEqual(60_000 - index * 20_000);
  });

  test("timeoutMs ends a stream that is open, as without a session", async () => {
    const { chat, server, lines } = await sessionAtServer(own, client, { subscribe: twoThenSilence });
    const error = await collect(chat.subscribe({}, { timeoutMs: 100 })).end;
    expect(error).toMatchObject({ code: Code.DeadlineExceeded });
    expect(lines.at(-1)).toBe("streamEnded: 1 failed");
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
  });

  test("an interceptor below sees each attempt, and gives each the newest token", async () => {
    let token = "old";
    const seen: (string | null)[] = [];
    const authorize: Interceptor = (next) => (request) => {
      request.header.set("authorization", token);
      return next(request);
    };
    const { chat, lines } = await sessionAtServer(
      own,
      client,
      {
        async *subscribe({ afterId }, { requestHeader }) {
          seen.push(requestHeader.get("authorization"));
          if (requestHeader.get("authorization") === "old" && afterId > 0)
            throw toConnectError({ reason: "unauthenticated" });
          yield { id: afterId + 1 };
          if (requestHeader.get("authorization") === "old") throw new ConnectError("restart", Code.Unavailable);
          yield { id: afterId + 2 };
        },
      },
      {
        methods: [resumable],
        refresh: async () => {
          token = "new";
        },
      },
      [authorize],
    );
    expect(await read(9, chat.subscribe({}, { headers: { "x-mine": "1" } })[Symbol.asyncIterator]())).toEqual({
      ids: [1, 2, 3],
    });
    expect(seen).toEqual(["old", "old", "new"]);
    expect(lines).toContain("unauthenticated");
  });

  test("headers and context of the caller go with each attempt", async () => {
    const seen: unknown[] = [];
    const key = createContextKey("nobody");
    const note: Interceptor = (next) => (request) => {
      seen.push(request.contextValues.get(key));
      return next(request);
    };
    const { chat } = await sessionAtServer(
      own,
      client,
      {
        async *subscribe(_, { requestHeader }) {
          seen.push(requestHeader.get("x-mine"));
          if (seen.length < 6) throw new ConnectError("down", Code.Unavailable);
          yield { id: 1 };
        },
      },
      {},
      [note],
    );
    const contextValues = createContextValues().set(key, "alice");
    await collect(chat.subscribe({}, { headers: { "x-mine": "1" }, contextValues })).end;
    expect(seen).toEqual(["alice", "1", "alice", "1", "alice", "1"]);
  });
});

const resumable = method(ChatService.method.subscribe, {
  resume: (request, last) => ({ ...request, afterId: last.id }),
});
