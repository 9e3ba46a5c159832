import { describe, expect, test, vi } from "vitest";
import { disconnectOf } from "../../../src/index.js";
import { memoryStore, type Report, type Store } from "../../../src/server/index.js";
import { collect } from "../../in-memory.js";
import { someOf } from "../../runs.js";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { startRelay } from "../../wire/relay.js";
import { annInside, login, nobodyLeft } from "./guest.js";
import { pairs, startGuardedServer } from "./servers.js";

// What comes in the same turn of the event loop as a verdict.

const own = leaveNothing();

const user = { user: "ann" };
const words = { code: "afk", message: "Idle" };
const kicked = { reason: "kicked", ...words, said: true };
const session = { policies: { network: "stop", aborted: "stop" } } as const;

/** It was told, or gone by itself. */
function expectSettled({ matched, told, left }: Report): void {
  expect([matched, told + left]).toEqual([1, 1]);
}

describe.each(someOf(pairs, 1))("through %s, to %s,", (mount, client) => {
  test("a server that stops in the tick of a kick still tells it", async () => {
    const { server, bouncer, end } = await annInside(own, mount, client, { session });
    const report = bouncer.kick(user, words);
    server.stop();
    expect(await report).toMatchObject({ matched: 1, told: 1, forced: 0, left: 0, failed: 0 });
    expect(disconnectOf(await end)).toMatchObject(kicked);
    await nobodyLeft(server);
  });

  test("a server whose sockets go in the tick of a kick claims no more than was told", async () => {
    const { server, bouncer, end } = await annInside(own, mount, client, { session });
    const report = bouncer.kick(user, words);
    await server.close();
    expectSettled(await report);
    const { told } = await report;
    expect(disconnectOf(await end)).toMatchObject(told ? kicked : { said: false });
    await nobodyLeft(server);
  });

  test("what was told has left, even if the sockets go at once", async () => {
    const { server, bouncer, end } = await annInside(own, mount, client, { session });
    const report = await bouncer.kick(user, words);
    await server.close();
    expect(report).toMatchObject({ told: 1 });
    expect(disconnectOf(await end)).toMatchObject(kicked);
  });

  test.each(["before", "after"])("a client that leaves right %s a kick holds nothing up", async (when) => {
    const { server, bouncer, session, end } = await annInside(own, mount, client);
    if (when === "before") session.close();
    const report = bouncer.kick(user, words);
    session.close();
    expectSettled(await report);
    await end;
    await nobodyLeft(server);
    await vi.waitFor(() => expect(server.handled).toHaveLength(1), patience);
  });

  test("a client that is cut off in the tick of a kick holds nothing up", async () => {
    const server = own(await startGuardedServer(mount));
    const relay = own(await startRelay(server.url));
    const { chat } = login(own, relay, client, session);
    const { messages, end } = collect(chat.subscribe({}));
    await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
    const report = server.bouncer.kick(user, words);
    relay.cut("tcp-rst");
    expectSettled(await report);
    await end;
    await nobodyLeft(server);
    await vi.waitFor(() => expect(server.handled).toHaveLength(1), patience);
  });
});

test("a newcomer that hears a verdict first does not take it from the handlers of those inside", async () => {
  const store = memoryStore();
  let written = () => {};
  let answer = () => {};
  const recorded = new Promise<void>((resolve) => (written = resolve));
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const slow: Store = {
    ...store,
    async record(entry) {
      const epoch = await store.record(entry);
      written();
      await answered;
      return epoch;
    },
  };
  const [mount, client] = pairs[0] as (typeof pairs)[number];
  const { server, bouncer, end } = await annInside(own, mount, client, { store: slow });
  const report = bouncer.ban(user, { message: "Cheating" });
  await recorded;
  const newcomer = collect(login(own, server, client).chat.subscribe({}));
  expect(disconnectOf(await newcomer.end)).toMatchObject({ reason: "banned" });
  answer();
  expect(await report).toMatchObject({ told: 1 });
  expect(disconnectOf(await end)).toMatchObject({ reason: "banned" });
  await vi.waitFor(() => expect(server.handled).toHaveLength(1), patience);
  expect(server.handled[0]?.words.reason).toBe("banned");
});
