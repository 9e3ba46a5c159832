import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, vi } from "vitest";
import { someOf } from "../runs.js";
import type { SetUp } from "./page/set-up.js";
import type { HttpVersion, Server } from "./server.js";
import { onStage, outage, patience } from "./stage.js";

// Every ending that a server can say, and its death, as a user sees them, and as the server does.

const test = onStage();

const variants = (["1.1", "2"] as const satisfies HttpVersion[]).flatMap((httpVersion) =>
  (["connect", "grpc-web"] as const satisfies SetUp["protocol"][]).map((protocol) => ({ httpVersion, protocol })),
);

const ann = { user: "ann" };

describe.concurrent.each(someOf(variants))("over $protocol and HTTP/$httpVersion", ({ httpVersion, protocol }) => {
  test("a kick is told, and a ban with its end: only the user comes back, if the server lets them", async ({
    stage,
  }) => {
    const server = await stage.server({ httpVersion });
    const tab = await stage.open(await stage.device(), server, { protocol });
    await tab.reads("ann has joined");
    expect(await server.bouncer.kick(ann, { message: "Idle for 10 minutes" })).toMatchObject({ matched: 1, told: 1 });
    await tab.says("kicked: Idle for 10 minutes");
    await tab.press("try now");
    await nothingMore(server);
    expect(server.subscriptions()).toBe(1);
    await tab.press("log in again");
    await tab.says("connected");
    expect(server.subscriptions()).toBe(2);
    expect(server.open()).toBe(1);

    const banned = "banned until 2090-01-01T00:00:00.000Z: Cheating";
    await server.bouncer.ban(ann, { until: new Date("2090-01-01"), message: "Cheating" });
    await tab.says(banned);
    await tab.press("try now");
    await nothingMore(server);
    expect(server.subscriptions()).toBe(2);
    await tab.press("log in again");
    await vi.waitFor(() => expect(server.subscriptions()).toBe(3), patience);
    await tab.says(banned); // a refusal comes after the headers: for a moment, the line said "connected"
    await nothingMore(server);
    expect(server.subscriptions()).toBe(3);
    expect(server.open()).toBe(0);
  });

  test("two devices of one account do not fight for its place", async ({ stage }) => {
    const server = await stage.server({ httpVersion, logins: { max: 1 } });
    const phone = await stage.open(await stage.device(), server, { protocol, login: "phone" });
    await phone.says("connected");
    const laptop = await stage.open(await stage.device(), server, { protocol, login: "laptop" });
    await laptop.says("connected");
    await phone.says("signed in elsewhere: laptop.0");
    await phone.press("try now");
    await nothingMore(server);
    expect(server.subscriptions()).toBe(2);
    await phone.press("log in again");
    await phone.says("connected");
    await laptop.says("signed in elsewhere: phone.1");
    await nothingMore(server);
    expect(server.subscriptions()).toBe(3);
    expect(server.open()).toBe(1);
  });

  test("maintenance is told with the time when it is over, and nobody comes before it", async ({ stage }) => {
    const server = await stage.server({ httpVersion });
    const tab = await stage.open(await stage.device(), server, { protocol });
    await tab.says("connected");
    const backAt = new Date(Date.now() + 600);
    const reopen = new AbortController();
    await server.bouncer.drain({ backAt, message: "Deploying", signal: reopen.signal });
    server.say("the new version is here");
    reopen.abort();
    await tab.reads("ann has joined", "the new version is here", "ann is back");
    const { statuses } = await tab.shown();
    expect(statuses).toEqual(["connecting", "connected", expect.stringMatching(/^back at /), "connected"]);
    const toldAt = Date.parse(statuses[2]?.slice("back at ".length) ?? "");
    expect(toldAt).toBeGreaterThanOrEqual(backAt.getTime() - 50); // as a wait, it counts from when it is read
    expect(toldAt).toBeLessThan(backAt.getTime() + patience.timeout);
    expect(server.subscriptions()).toBe(2);
    expect(server.calls[1]?.at).toBeGreaterThanOrEqual(backAt.getTime() - 50); // two processes, two clocks
  });

  test("a token that has run out is refreshed, and who gets no new one is signed out", async ({ stage }) => {
    const server = await stage.server({ httpVersion });
    const session = { healthyAfterMs: 0 }; // or a second refusal within seconds would count as the same one
    const tab = await stage.open(await stage.device(), server, { protocol, session }, outage);
    await tab.reads("ann has joined");
    await server.expire("ann");
    server.say("while you were away");
    await tab.reads("ann has joined", "while you were away", "ann is back");
    await tab.says("connected");
    const reconnecting = expect.stringMatching(/^reconnecting in 1 s: unauthenticated, /);
    expect((await tab.shown()).statuses).toEqual(["connecting", "connected", reconnecting, "connected"]);
    expect(server.calls.map(({ path }) => path.replace(/^.*\//, ""))).toEqual(["Subscribe", "token", "Subscribe"]);
    await server.signOut("ann");
    await tab.says(/^signed out: /);
    await nothingMore(server);
    expect(server.calls.slice(3).map(({ path }) => path)).toEqual(["/token"]);
  });

  test("a server that is killed is waited for, and its successor is asked once", async ({ stage }) => {
    const first = await stage.child({ httpVersion });
    const tab = await stage.open(await stage.device(), first, { protocol }, outage);
    await tab.reads("ann has joined");
    expect(await first.calls()).toHaveLength(1);
    await first.close();
    await tab.says(/^reconnecting in 1 s: network, /);
    await vi.waitFor(() => expect(tab.attempts()).toBeGreaterThan(2), patience);
    const second = await stage.child({ httpVersion, port: first.port });
    await tab.says("connected");
    await tab.reads("ann has joined", "ann is back");
    expect(await second.calls()).toHaveLength(1);
  });
});

/** Long enough for several attempts by the policies here. */
async function nothingMore(server: Server): Promise<void> {
  const before = server.calls.length;
  await sleep(150);
  expect(server.calls.length).toBe(before);
}
