import { setImmediate as turn } from "node:timers/promises";
import type { ServiceImpl } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import type { ChatService } from "../../../examples/gen/chat/v1/chat_pb.js";
import { disconnectOf } from "../../../src/index.js";
import { verdictOf } from "../../../src/server/index.js";
import { collect } from "../../in-memory.js";
import { someOf } from "../../runs.js";
import { sinceConnect23 } from "../../wire/connect-version.js";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { annInside, login, nobodyLeft } from "./guest.js";
import { createLog } from "./log.js";
import { pairs, startGuardedServer } from "./servers.js";

// Handlers and clients that do not do as they are told.

const own = leaveNothing();

const user = { user: "ann" };
const words = { code: "afk", message: "Idle" };
const kicked = { reason: "kicked", ...words, said: true };
const never = new Promise<never>(() => {});

const mib = 1024 * 1024;

type Methods = Partial<ServiceImpl<typeof ChatService>>;

/** What can be mounted on connect-node alone is the same everywhere else. */
const plain = pairs.filter(([mount]) => mount.startsWith("connect-node"));
const talkers = plain.filter(([, client]) => client.startsWith("node h2"));
const uploaders = plain.filter(([, client]) => client.startsWith("node"));

describe.each(someOf(pairs, 2))("through %s, to %s,", (mount, client) => {
  test("a reader that does not read is cut, and hears at the door why", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {}); // Connect tells of each HTTP/2 stream that is reset under it
    // More than all buffers on the way hold, and over HTTP/2 less than a session of Node's may.
    const size = mount.endsWith("h2") ? mib : 32 * mib;
    const payload = new Uint8Array(size);
    const server = own(
      await startGuardedServer(mount, {
        methods: {
          async *subscribe() {
            yield { id: 1 };
            for (;;) yield { id: 2, payload };
          },
        },
      }),
    );
    const { chat, lines } = login(own, server, client);
    const reader = chat.subscribe({})[Symbol.asyncIterator]();
    await reader.next();
    await vi.waitFor(() => expect(server.unsent()).toBeGreaterThan(size / 4), patience);
    const report = await server.bouncer.kick(user, words, { forceAfterMs: 20 });
    expect(report).toMatchObject({ matched: 1, told: 0, forced: 1, left: 0, failed: 0 });
    expect(server.bouncer.count()).toBe(0);
    expect(server.requests()).toBe(1);
    await nobodyLeft(server);
    expect(disconnectOf(await collect({ [Symbol.asyncIterator]: () => reader }).end)).toMatchObject(kicked);
    expect(lines).toContain("ended: kicked: Idle");
    expect(server.requests()).toBe(2);
    vi.restoreAllMocks();
  });
});

describe.each(plain)("through %s, to %s,", (mount, client) => {
  /** Kicks ann, with a deadline that only a stream that cannot be told needs. */
  async function kick(methods: Methods) {
    const { logger, lines } = createLog();
    const inside = await annInside(own, mount, client, { methods, logger });
    const report = await inside.bouncer.kick(user, words, { forceAfterMs: patience.timeout });
    expect(report).toMatchObject({ matched: 1, told: 1, forced: 0, left: 0, failed: 0 });
    expect(disconnectOf(await inside.end)).toMatchObject(kicked);
    await nobodyLeft(inside.server);
    expect(inside.server.requests()).toBe(1);
    const failures = () =>
      lines.filter(({ level }) => level === "error").map(({ message, fields }) => `${message}: ${fields.err}`);
    return { ...inside, failures };
  }

  test("a handler that ignores its signal, and never returns, holds nothing up", async () => {
    const { failures } = await kick({
      async *subscribe() {
        yield { id: 1 };
        await never;
      },
    });
    expect(failures()).toEqual([]);
  });

  test("a handler whose `finally` never returns holds nothing up", async () => {
    let released = 0;
    await kick({
      async *subscribe(_, { signal }) {
        try {
          yield { id: 1 };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        } finally {
          released++;
          await never;
        }
      },
    });
    await vi.waitFor(() => expect(released).toBe(1), patience);
  });

  test("a handler that yields for ever, without a look at its signal, is stopped", async () => {
    let [sent, stopped] = [0, 0];
    await kick({
      async *subscribe() {
        try {
          for (;;) {
            yield { id: ++sent };
            await turn();
          }
        } finally {
          stopped++;
        }
      },
    });
    await vi.waitFor(() => expect(stopped).toBe(1), patience);
    const before = sent;
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(sent).toBe(before);
  });

  test("a handler that ends cleanly when it is put out does not hide why", async () => {
    const { server } = await kick({}); // the server's own: it returns as soon as its signal is aborted
    await vi.waitFor(() => expect(server.handled).toMatchObject([{ words: { reason: "kicked" } }]), patience);
  });

  test("a handler's own error does not hide why, and is reported", async () => {
    const { failures } = await kick({
      async *subscribe(_, { signal }) {
        yield { id: 1 };
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("lost the game"))));
      },
    });
    await vi.waitFor(() => expect(failures()).toHaveLength(1), patience);
    expect(failures()[0]).toMatch(/the handler of chat.v1.ChatService\/Subscribe failed.*: Error: lost the game/);
  });

  test("a handler's own error is reported where there is no logger, too", async () => {
    const reported: unknown[] = [];
    const { bouncer, end } = await annInside(own, mount, client, {
      reportError: (error) => reported.push(error),
      methods: {
        async *subscribe(_, { signal }) {
          try {
            yield { id: 1 };
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
          } finally {
            await Promise.reject(new Error("lost the game"));
          }
        },
      },
    });
    expect(await bouncer.kick(user, words)).toMatchObject({ told: 1 });
    expect(disconnectOf(await end)).toMatchObject(kicked);
    await vi.waitFor(() => expect(reported.map(String)).toEqual(["Error: lost the game"]), patience);
  });

  test("a handler that has not answered yet is put out all the same", async () => {
    const server = own(await startGuardedServer(mount, { methods: { say: () => ({ id: 1 }), subscribe: silent } }));
    const { end } = collect(login(own, server, client).chat.subscribe({}));
    await vi.waitFor(() => expect(server.bouncer.count()).toBe(1), patience);
    expect(await server.bouncer.kick(user, words)).toMatchObject({ matched: 1, told: 1 });
    expect(disconnectOf(await end)).toMatchObject(kicked);
    await nobodyLeft(server);
  });
});

// connect-node's gRPC client hears its end, and leaves its own half open all the same: it is asked to stop, without waiting
// for the time at which others are cut.

describe.each(talkers)("through %s, to %s,", (mount, client) => {
  test.each(["listens", "is deaf"])("a talk that is never half-closed, to a handler that %s, is ended", async (how) => {
    const heard: unknown[] = [];
    const server = own(
      await startGuardedServer(mount, {
        methods: {
          async *talk(requests, { signal }) {
            yield { id: 1 };
            if (how === "is deaf") await never;
            try {
              for await (const { text } of requests) yield { id: 2, text };
            } catch (error) {
              heard.push(verdictOf(error)?.words.reason, verdictOf(signal.reason)?.words.reason);
              throw error;
            }
          },
        },
      }),
    );
    const { messages, end } = collect(login(own, server, client).chat.talk(endless("hello")));
    await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), patience);
    const report = await server.bouncer.kick(user, words, { forceAfterMs: 3_600_000 });
    expect(report).toMatchObject({ matched: 1, told: 1, forced: 0 });
    expect(disconnectOf(await end)).toMatchObject(kicked);
    await nobodyLeft(server);
    if (how === "listens") await vi.waitFor(() => expect(heard).toEqual(["kicked", "kicked"]), patience);
  });
});

describe.each(uploaders)("through %s, to %s,", (mount, client) => {
  test.each(["listens", "is deaf"])("an upload that never ends, to a handler that %s, is ended", async (how) => {
    let count = 0;
    const server = own(
      await startGuardedServer(mount, {
        methods: {
          async upload(requests) {
            if (how === "is deaf") await never;
            for await (const _ of requests) count++;
            return { count };
          },
        },
      }),
    );
    const { chat } = login(own, server, client);
    const end = chat.upload(endless("line")).catch((error) => error);
    await vi.waitFor(() => expect(server.bouncer.count()).toBe(1), patience);
    if (how === "listens") await vi.waitFor(() => expect(count).toBeGreaterThan(3), patience);
    // Since Connect 2.3 an HTTP/1.1 server answers only when it has read the rest of the request, or 256 KiB of it.
    const unheard = sinceConnect23 && mount.endsWith("h1");
    const report = await server.bouncer.kick(user, words, { forceAfterMs: unheard ? 100 : 3_600_000 });
    expect(report).toMatchObject({ matched: 1, told: unheard ? 0 : 1, forced: unheard ? 1 : 0 });
    expect(disconnectOf(await end)).toMatchObject(unheard ? { reason: "network" } : kicked);
    if (unheard) expect(disconnectOf(await chat.say({}).catch((error) => error))).toMatchObject(kicked); // at the door
    await nobodyLeft(server);
  });
});

// biome-ignore lint/correctness/useYield: it never comes to that
async function* silent(): AsyncGenerator<{ id: number }> {
  await never;
}

/** Goes on until its reader has enough. */
async function* endless(text: string) {
  for (;;) {
    yield { text };
    await turn();
  }
}
