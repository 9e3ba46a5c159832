import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, method, reauthenticated } from "../../src/index.js";
import { someOf } from "../runs.js";
import { type ClientName, clients } from "./clients.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { sessionAtServer } from "./session-at.js";

// Each token can be renewed once. Who renews an old one has been robbed, as far as the server can know: it is signed out.

const own = leaveNothing();

describe.each(someOf(Object.keys(clients) as ClientName[], 2))("to %s,", (name) => {
  test("streams and unary calls outlive tokens that rotate: none is renewed twice, and nothing is lost", async () => {
    let current = 1; // the only one that counts, unless it has ended
    let ended = false;
    let held = 1; // by the client
    const reused: string[] = [];
    const authorize: Interceptor = (next) => (request) => {
      request.header.set("authorization", String(held));
      return next(request);
    };
    const check = (header: Headers) => {
      if (ended || header.get("authorization") !== String(current))
        throw new ConnectError("expired", Code.Unauthenticated);
    };
    const { session, chat } = await sessionAtServer(
      own,
      clients[name],
      {
        async *subscribe({ afterId }, { requestHeader, signal }) {
          check(requestHeader);
          for (let id = afterId + 1; ; id++) {
            yield { id };
            check(requestHeader);
            await new Promise((resolve) => setImmediate(resolve));
            if (signal.aborted) return;
          }
        },
        say({ text }, { requestHeader }) {
          if (text !== "renew") {
            check(requestHeader);
            return { id: 0 };
          }
          const given = requestHeader.get("authorization") ?? "none";
          if (given !== String(current)) reused.push(given);
          ended = false;
          return { id: ++current };
        },
      },
      {
        methods: [
          method(ChatService.method.subscribe, { resume: (request, last) => ({ ...request, afterId: last.id }) }),
          reauthenticated(),
        ],
        refresh: async (signal) => {
          held = (await createClient(ChatService, session).say({ text: "renew" }, { signal })).id;
        },
      },
      [authorize],
    );
    const seen = [0, 0, 0];
    const reading = seen.map(async (_, reader) => {
      for await (const { id } of chat.subscribe({})) {
        expect(id).toBe((seen[reader] ?? 0) + 1);
        seen[reader] = id;
      }
    });
    for (let round = 1; round <= 5; round++) {
      const before = [...seen];
      await vi.waitFor(() => expect(seen.every((id, reader) => id > (before[reader] ?? 0) + 3)).toBe(true), patience);
      ended = true;
      await Promise.all([chat.say({}), chat.say({})]);
      expect(current).toBe(round + 1);
    }
    session.close();
    await Promise.all(reading.map((read) => read.catch(() => {})));
    expect(reused).toEqual([]);
  });
});
