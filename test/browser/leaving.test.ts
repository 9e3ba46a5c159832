import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, vi } from "vitest";
import type { Server } from "./server.js";
import { onStage, outage, patience, type Tab } from "./stage.js";

// Pages that are left, by a link, the back button, a reload, or for good. Chromium keeps a page that was left in its
// back-forward cache, if the page lets it: an open stream, a lock or a message does not.

const test = onStage();

const variants = [
  { httpVersion: "1.1", memory: true },
  { httpVersion: "2", memory: true },
  { httpVersion: "2", memory: false },
] as const;

describe.concurrent("a user who follows a link and comes back", () => {
  test.for(variants)(
    "finds the page as it was, and its stream again (HTTP/$httpVersion, memory: $memory)",
    async ({ httpVersion, memory }, { stage }) => {
      const server = await stage.server({ httpVersion });
      const tab = await stage.open(await stage.device(), server, { memory });
      await tab.reads("ann has joined");
      await leave(tab, server);
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
      server.say("while you were away");
      await back(tab);
      await tab.says("connected");
      await tab.reads("ann has joined", "while you were away", "ann is back");
      const { statuses } = await tab.shown();
      expect(statuses.filter((status) => !status.startsWith("reconnecting"))).toEqual([
        "connecting",
        "connected",
        "put aside",
        "connected",
      ]);
      expect(server.subscriptions()).toBe(2);
      expect(server.open()).toBe(1);
    },
  );

  test("does so as often as they like", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), server);
    await tab.says("connected");
    for (let round = 1; round <= 3; round++) {
      await leave(tab, server);
      await back(tab, round);
      await tab.says("connected");
    }
    expect(server.subscriptions()).toBe(4);
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
  });

  test("in an outage asks nobody meanwhile, and goes on after it", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const tab = await stage.open(await stage.device(), server, {}, outage);
    await tab.says("connected");
    server.answer = 503;
    server.cut();
    await tab.says(/^reconnecting in 1 s: network, /);
    await leave(tab, server);
    const before = server.subscriptions();
    server.answer = "chat";
    await sleep(500);
    expect(server.subscriptions()).toBe(before);
    await back(tab);
    await tab.says("connected");
    expect(server.subscriptions()).toBe(before + 1);
  });

  test("in the middle of an attempt takes it back, and tries again", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const session = { headersTimeoutMs: 60_000 };
    const tab = await stage.open(await stage.device(), server, { session }, outage);
    await tab.says("connected");
    server.answer = "silence";
    server.cut();
    await vi.waitFor(() => expect(server.subscriptions()).toBe(2), patience);
    await leave(tab, server);
    server.answer = "chat";
    await back(tab);
    await tab.says("connected");
    expect(server.subscriptions()).toBe(3);
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
  });

  test("is kept by Chromium though another tab has much to say", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tab = await stage.open(device, server, {}, outage);
    const other = await stage.open(device, server, {}, outage);
    await tab.says("connected");
    await other.says("connected");
    await leave(tab, server);
    await server.stop();
    await vi.waitFor(() => expect(other.attempts()).toBeGreaterThan(2), patience);
    await server.start();
    await other.says("connected");
    await back(tab);
    await tab.says("connected");
    await vi.waitFor(() => expect(server.open()).toBe(2), patience);
    expect(server.subscriptions()).toBe(4);
  });

  test("hears of a verdict that came meanwhile to another tab, and asks nobody", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tab = await stage.open(device, server);
    const other = await stage.open(device, server);
    await tab.says("connected");
    await other.says("connected");
    await leave(tab, server);
    await server.bouncer.ban({ user: "ann" }, { message: "Cheating" });
    await other.says("banned until further notice: Cheating");
    await back(tab);
    await tab.says("banned until further notice: Cheating");
    expect(server.subscriptions()).toBe(2);
  });
});

describe.concurrent("a stream", () => {
  test("ends on the server with its page, and a reload opens another", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), server);
    await tab.says("connected");
    await tab.page.reload();
    await tab.says("connected");
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
    expect(server.subscriptions()).toBe(2);
    await tab.page.close();
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    expect(server.subscriptions()).toBe(2);
  });
});

async function leave({ page }: Tab, { url }: Server): Promise<void> {
  await page.goto(`${url}/elsewhere`);
}

/** Not by Playwright's goBack, which waits for a load that never comes. */
async function back({ page }: Tab, time = 1): Promise<void> {
  await page.evaluate(() => history.back());
  await vi.waitFor(async () => {
    expect(await page.evaluate(() => globalThis.shown?.persisted)).toEqual([false, ...Array(time).fill(true)]);
  }, patience);
}
