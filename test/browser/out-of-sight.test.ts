import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { describe, expect, vi } from "vitest";
import { onStage, outage, patience, type Stage } from "./stage.js";

// Tabs that are hidden or frozen, and laptops that are closed. One after the other: a screen has one tab in front.

const test = onStage();

describe("a tab behind another one", () => {
  test("lets go of its stream after a time, and has it again when it is looked at", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(stage.chromium.desktop, server, { hiddenAfterMs: 100 });
    await tab.reads("ann has joined");
    await hide(stage, tab.page);
    await tab.says("paused while nobody looks");
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    server.say("while you were away");
    await sleep(300);
    expect(server.subscriptions()).toBe(1);
    await tab.page.bringToFront();
    await tab.says("connected");
    await tab.reads("ann has joined", "while you were away", "ann is back");
    expect(server.subscriptions()).toBe(2);
    expect(server.open()).toBe(1);
  });

  test.for([{ hiddenAfterMs: 3_600_000 }, {}])("keeps its stream where it may (%o)", async (setUp, { stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(stage.chromium.desktop, server, setUp);
    await tab.reads("ann has joined");
    await hide(stage, tab.page);
    server.say("nobody sees this");
    await tab.reads("ann has joined", "nobody sees this");
    await tab.page.bringToFront();
    await tab.says("connected");
    expect((await tab.shown()).statuses).toEqual(["connecting", "connected"]);
    expect(server.subscriptions()).toBe(1);
  });

  test("lets go of its stream after a time even if it was opened there", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const behind = { before: (page: Page) => hide(stage, page) };
    const tab = await stage.open(stage.chromium.desktop, server, { hiddenAfterMs: 100 }, behind);
    await tab.says("paused while nobody looks");
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    const before = server.subscriptions(); // it may have had no time for one
    await sleep(300);
    expect(server.subscriptions()).toBe(before);
    await tab.page.bringToFront();
    await tab.says("connected");
    expect(server.subscriptions()).toBe(before + 1);
  });

  test.for(["1.1", "2"] as const)(
    "is frozen and thawed without a stream in it, over HTTP/%s",
    async (httpVersion, { stage }) => {
      const server = await stage.server({ httpVersion });
      const tab = await stage.open(stage.chromium.desktop, server);
      await tab.reads("ann has joined");
      await hide(stage, tab.page);
      const devtools = await stage.chromium.desktop.newCDPSession(tab.page);
      await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
      await tab.says("put aside");
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
      server.say("while you were away");
      await sleep(300);
      expect(server.subscriptions()).toBe(1);
      await devtools.send("Page.setWebLifecycleState", { state: "active" });
      await tab.says("connected");
      await tab.reads("ann has joined", "while you were away", "ann is back");
      expect(server.subscriptions()).toBe(2);
      expect(server.open()).toBe(1);
    },
  );
});

describe("a laptop that was closed", () => {
  const onWindows = process.platform === "win32"; // where a process cannot be stopped for a while
  const clock = { before: (page: Page) => page.clock.install() };

  test("has new streams when it is opened", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.newDevice(), server, {}, clock);
    await tab.reads("ann has joined");
    await tab.page.clock.fastForward("08:00:00");
    await tab.reads("ann has joined", "ann is back");
    await tab.says("connected");
    const reconnecting = expect.stringMatching(/^reconnecting in 1 s: /);
    expect((await tab.shown()).statuses).toEqual([
      "connecting",
      "connected",
      "just woken up",
      reconnecting,
      "connected",
    ]);
    expect(server.subscriptions()).toBe(2);
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
  });

  test("is told from one that was in use", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.newDevice(), server, {}, clock);
    await tab.says("connected");
    await tab.page.clock.runFor("08:00");
    await tab.says("connected");
    expect((await tab.shown()).statuses).toEqual(["connecting", "connected"]);
    expect(server.subscriptions()).toBe(1);
  });

  test.skipIf(onWindows)("for a moment keeps its stream", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), server);
    await tab.reads("ann has joined");
    await stage.chromium.asleep(async () => {
      server.say("in your sleep");
      await sleep(300);
    });
    await tab.reads("ann has joined", "in your sleep");
    expect((await tab.shown()).statuses).toEqual(["connecting", "connected"]);
    expect(server.subscriptions()).toBe(1);
  });

  test.skipIf(onWindows).for(["1.1", "2"] as const)(
    "finds out that its server was restarted, over HTTP/%s",
    async (httpVersion, { stage }) => {
      const server = await stage.server({ httpVersion });
      const tab = await stage.open(await stage.device(), server, {}, outage);
      await tab.reads("ann has joined");
      await stage.chromium.asleep(async () => {
        await server.stop();
        server.say("in your sleep");
        await server.start();
      });
      await tab.reads("ann has joined", "in your sleep", "ann is back");
      await tab.says("connected");
      expect(server.subscriptions()).toBe(2);
    },
  );
});

/** Opens something else in front of it. */
async function hide(stage: Stage, page: Page): Promise<void> {
  const other = stage.own(await stage.chromium.desktop.newPage());
  await other.bringToFront();
  await vi.waitFor(async () => expect(await page.evaluate(() => document.visibilityState)).toBe("hidden"), patience);
}
