import { createClient as createConnectClient } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../../../examples/gen/chat/v1/chat_pb.js";
import { controlStream } from "../../../src/control-stream/index.js";
import { type DisconnectInit, disconnectOf } from "../../../src/index.js";
import type { Bouncer, Report } from "../../../src/server/index.js";
import { createFakeClock } from "../../../src/testing/index.js";
import { collect } from "../../in-memory.js";
import { someOf } from "../../runs.js";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { ann, annInside, linkAs, login, nobodyLeft } from "./guest.js";
import { pairs } from "./servers.js";

// Every way out, through every mount, to every client.

const own = leaveNothing();

const hour = 3_600_000;
const localized = { locale: "de-CH", message: "Ade" };
const user = { user: "ann" };

/** A way to put ann out, and what her client is to understand. A time that is not exact is told apart. */
interface Way {
  put(bouncer: Bouncer, at: Date): Promise<Report>;
  readonly told: DisconnectInit;
  readonly back?: true;
  readonly ends: string;
}

const until = new Date("2090-01-01");

const ways: { readonly [name: string]: Way } = {
  "a kick": {
    put: (bouncer) => bouncer.kick(user, { code: "afk", message: "Idle", localized }),
    told: { reason: "kicked", code: "afk", message: "Idle", localized },
    ends: "ended: kicked: Idle",
  },
  "a ban": {
    put: (bouncer) => bouncer.ban(user, { code: "cheat", message: "Cheating", until, localized }),
    told: { reason: "banned", code: "cheat", message: "Cheating", until, localized },
    ends: "ended: banned: Cheating",
  },
  "a supersession": {
    put: (bouncer) => bouncer.supersede({ session: "s1" }, { by: "iPad", message: "Elsewhere" }),
    told: { reason: "superseded", by: "iPad", message: "Elsewhere" },
    ends: "ended: superseded: Elsewhere",
  },
  "an expiry": {
    put: (bouncer) => bouncer.expire(user, { message: "Too old" }),
    told: { reason: "unauthenticated", message: "Too old" },
    ends: "ended: unauthenticated: no refresh is set",
  },
  "a revocation": {
    put: (bouncer) => bouncer.revoke("ann"),
    told: { reason: "unauthenticated", message: "the credentials were revoked" },
    ends: "ended: unauthenticated: no refresh is set",
  },
  "a throttle": {
    put: (bouncer, retryAt) => bouncer.throttle(user, { retryAt, message: "Slow down" }),
    told: { reason: "throttled", message: "Slow down" },
    back: true,
    ends: "streamEnded: 1 stopped",
  },
  "a drain": {
    put: (bouncer, backAt) => bouncer.drain({ backAt, message: "Deploying", localized, returnPerSecond: 1 }),
    told: { reason: "maintenance", message: "Deploying", localized, reserved: true },
    back: true,
    ends: "streamEnded: 1 stopped",
  },
};

describe.each(someOf(pairs))("through %s, to %s,", (mount, client) => {
  test.each(Object.entries(ways))("%s is understood, and leaves nothing", async (_, { put, told, back, ends }) => {
    const { server, bouncer, end, lines } = await annInside(own, mount, client);
    expect(bouncer.list()).toMatchObject([{ user: "ann", session: "s1", peer: "127.0.0.1" }]);
    const at = new Date(Date.now() + hour);
    const report = await put(bouncer, at);
    expect(report).toMatchObject({ matched: 1, told: 1, forced: 0, left: 0, failed: 0 });
    expect(bouncer.count()).toBe(0);
    const disconnect = disconnectOf(await end);
    expect(disconnect).toMatchObject({ ...told, said: true, source: "detail" });
    if (back) expectAbout(disconnect, at);
    expect(lines).toContain(ends);
    await vi.waitFor(() => expect(server.handled).toHaveLength(1), patience);
    expect(server.handled).toMatchObject([{ id: report.verdict, words: { reason: told.reason } }]);
    await nobodyLeft(server);
    expect(server.requests()).toBe(1);
  });

  test("a ban costs one more request after a new login, and then none", async () => {
    const { server, bouncer, end, chat } = await annInside(own, mount, client);
    const [report] = await Promise.all([bouncer.ban(user, { message: "Cheating", until }), end]);
    expect(report.told).toBe(1);
    for (let again = 0; again < 3; again++) expect(disconnectOf(await collect(chat.subscribe({})).end)).toBeDefined();
    expect(server.requests()).toBe(1);
    const second = login(own, server, client);
    for (let again = 0; again < 3; again++) {
      expect(disconnectOf(await collect(second.chat.subscribe({})).end)).toMatchObject({ reason: "banned", until });
    }
    expect(server.requests()).toBe(2);
    const plain = createConnectClient(ChatService, linkAs(ann, server, client).transport);
    expect(disconnectOf(await plain.say({}).catch((error) => error))).toMatchObject({ reason: "banned", until });
    expect(bouncer.stats()).toMatchObject({ admitted: 1, refusals: { banned: 2 } });
    await nobodyLeft(server);
  });

  test.each(["a throttle", "a drain", "a revocation"])("%s is told again at the door", async (name) => {
    const { put, told, back } = ways[name] as Way;
    const { server, bouncer, end } = await annInside(own, mount, client);
    const at = new Date(Date.now() + hour);
    await Promise.all([put(bouncer, at), end]);
    const disconnect = disconnectOf(await collect(login(own, server, client).chat.subscribe({})).end);
    expect(disconnect).toMatchObject(told);
    if (back) expectAbout(disconnect, at);
    expect(server.requests()).toBe(2);
    expect(bouncer.count()).toBe(0);
  });

  test("after an expiry, a client with new credentials is let in again", async () => {
    let renewals = 0;
    const refresh = async () => ++renewals;
    const { server, bouncer, messages, lines } = await annInside(own, mount, client, { session: { refresh } });
    expect(await bouncer.expire(user)).toMatchObject({ told: 1 });
    await vi.waitFor(() => expect(messages).toHaveLength(2), patience);
    expect(lines).toContain("reconnected: after 1, gap unknown");
    expect([renewals, server.requests(), bouncer.count()]).toEqual([1, 2, 1]);
  });

  test("an abort is explained by the control stream, and nobody comes back", async () => {
    // The session's time stands still: it waits for the welcome, and does not come back before the words about an abort,
    // which over several connections it may overtake.
    const session = { extensions: [controlStream()], clock: createFakeClock() };
    const { server, bouncer, end } = await annInside(own, mount, client, { session });
    const report = await bouncer.kick(user, { code: "afk", message: "Idle" }, { mode: "abort" });
    expect(report).toMatchObject({ matched: 2, told: 1, forced: 1 });
    expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", code: "afk", message: "Idle", said: true });
    await nobodyLeft(server);
    expect(server.requests()).toBe(2);
  });

  test("an abort says nothing; who comes back is told once, and a new login is let in", async () => {
    const { server, bouncer, end, lines } = await annInside(own, mount, client);
    const report = await bouncer.kick(user, { code: "afk", message: "Idle" }, { mode: "abort" });
    expect(report).toMatchObject({ matched: 1, told: 0, forced: 1, left: 0, failed: 0 });
    expect(bouncer.count()).toBe(0);
    expect(disconnectOf(await end)).toMatchObject({ reason: "kicked", code: "afk", message: "Idle", said: true });
    const heard = lines.filter((line) => /^(disconnected|kicked|ended)/.test(line));
    expect(heard).toEqual([expect.stringMatching(/: (aborted|network)$/), "kicked: Idle", "ended: kicked: Idle"]);
    expect(server.requests()).toBe(2);
    await vi.waitFor(() => expect(server.handled).toMatchObject([{ id: report.verdict }]), patience);
    await nobodyLeft(server);
    const second = collect(login(own, server, client).chat.subscribe({}));
    await vi.waitFor(() => expect(second.messages).toHaveLength(1), patience);
    expect(bouncer.stats()).toMatchObject({ admitted: 2, refusals: { kicked: 1 }, inside: { streams: 1 } });
  });
});

/** Times of return travel as a delay, and so are later by as long as they were under way; they never are earlier. */
function expectAbout(disconnect: unknown, at: Date): void {
  const { retryAt } = disconnect as { readonly retryAt: Date };
  const lateMs = retryAt.getTime() - at.getTime();
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(patience.timeout);
}
