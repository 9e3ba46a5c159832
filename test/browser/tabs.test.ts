import { setTimeout as sleep } from "node:timers/promises";
import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, vi } from "vitest";
import type { SetUp } from "./page/set-up.js";
import type { Server } from "./server.js";
import { onStage, outage, patience, type Stage, type Tab } from "./stage.js";

// Several tabs of one account in one outage: they probe as one. And one tab that is loaded again and again.

const test = onStage();

/** Short at first, and then so long that there is time to count: with a chance of 0.5, the sixth waits for 31 s. */
const growing = { initialMs: 20, factor: 5, maxMs: 3_600_000, jitter: "full" } as const;

describe.concurrent("three tabs that lose their server together", () => {
  test("make the attempts that one makes, and come back together", async ({ stage }) => {
    const [alone, together] = await Promise.all([attemptsOf(1, stage), attemptsOf(3, stage)]);
    expect(alone.made).toBe(alone.waitedFor - 1);
    expect(Math.abs(together.made - (together.waitedFor - 1))).toBeLessThanOrEqual(1);
    // Each has a stream of its own in the end, and only one of them probed for it.
    expect(together.afterwards).toBeLessThanOrEqual(alone.afterwards + 2 + 1);
  });

  test("make three times as many where they do not know of each other", async ({ stage }) => {
    const { made, waitedFor } = await attemptsOf(3, stage, { memory: false });
    expect(made).toBeGreaterThan(2 * (waitedFor - 1));
  });

  test.for<[string, (leader: Tab) => Promise<unknown>]>([
    ["is closed", ({ page }) => page.close()],
    ["crashes", ({ page }) => crash(page)],
  ])("wait for one probe at a time, and replace the tab that probed when it %s", async ([, end], { stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const tabs = await open(3, await stage.device(), server, stage, { session: { headersTimeoutMs: 60_000 } });
    server.answer = "silence";
    server.cut();
    await vi.waitFor(() => expect(server.subscriptions()).toBe(4), patience);
    await sleep(300);
    expect(server.subscriptions()).toBe(4);

    const leader = await vi.waitFor(() => {
      const leaders = tabs.filter(({ attempts }) => attempts() > 1);
      expect(leaders).toHaveLength(1);
      return leaders[0] as Tab;
    }, patience);
    await end(leader);
    await vi.waitFor(() => expect(server.subscriptions()).toBe(5), patience);
    await sleep(300);
    expect(server.subscriptions()).toBe(5);

    server.answer = "chat";
    server.cut();
    for (const tab of tabs) if (tab !== leader) await tab.says("connected");
    await vi.waitFor(() => expect(server.open()).toBe(2), patience);
  });

  test("share the rate limit", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const device = await stage.device();
    const setUp = { session: { rateLimit: { burst: 4, perMs: 600_000 } } };
    const tabs = await open(3, device, server, stage, setUp);
    server.answer = 503;
    server.cut();
    for (const tab of tabs) await tab.says(/^reconnecting in \d\d+ s: network, /);
    expect(server.subscriptions() - 3).toBe(4);
  });

  test("are told the same time by one that was told by the server", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tabs = await open(3, device, server, stage);
    const backAt = new Date(Date.now() + 1_500);
    const reopen = new AbortController();
    await server.bouncer.drain({ backAt, message: "Deploying", signal: reopen.signal });
    reopen.abort();
    for (const tab of tabs) await tab.says("connected");
    for (const tab of tabs) expect((await tab.shown()).statuses.join()).toMatch(/,back at 2/);
    expect(server.subscriptions()).toBe(6);
    for (const { at } of server.calls.slice(3)) expect(at).toBeGreaterThanOrEqual(backAt.getTime() - 50);
  });
});

describe.concurrent("a page that is loaded twenty times in an outage", () => {
  const burst = 5;
  const impatient = { session: { rateLimit: { burst, perMs: 600_000 } } };
  /** Chromium takes it for a matter of CORS that nobody answers. */
  const refused = { expected: /^Failed to load resource: |blocked by CORS policy/ };

  test("makes no more attempts than the rate limit allows", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), server, impatient, outage);
    await tab.says("connected");
    server.answer = 503;
    server.cut();
    for (let reload = 0; reload < 20; reload++) {
      await tab.says(/^reconnecting in /);
      await tab.page.reload();
    }
    await tab.says(/^reconnecting in \d\d+ s: network, /);
    expect(server.subscriptions() - 1).toBeLessThanOrEqual(burst);
  });

  test("makes no more at a server of another origin that refuses connections", async ({ stage }) => {
    const pages = await stage.server({ httpVersion: "1.1" });
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), pages, { ...impatient, api: server.url }, refused);
    await tab.says("connected");
    await server.stop();
    for (let reload = 0; reload < 20; reload++) {
      await tab.says(/^reconnecting in /);
      await tab.page.reload();
    }
    await tab.says(/^reconnecting in \d\d+ s: network, /);
    expect(tab.attempts() - 1).toBeLessThanOrEqual(burst);
    expect(server.subscriptions()).toBe(1);
    expect(pages.calls).toEqual([]);
  });

  test("makes no more if each attempt is cut short by the next load", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const session = { ...impatient.session, headersTimeoutMs: 60_000 };
    const tab = await stage.open(await stage.device(), server, { session }, outage);
    await tab.says("connected");
    server.answer = "silence";
    server.cut();
    for (let reload = 0, seen = 1; reload < 20; reload++) {
      await vi.waitFor(async () => {
        const status = await tab.page.textContent("[role=status]");
        expect(tab.attempts() > seen || /^reconnecting in \d\d+ s/.test(status ?? "")).toBe(true);
      }, patience);
      seen = tab.attempts();
      await tab.page.reload();
    }
    expect(server.subscriptions() - 1).toBeLessThanOrEqual(burst);
    await tab.says(/^reconnecting in \d\d+ s: network, /);
  });

  test("comes back with the first attempt after it", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), server, {}, outage);
    await tab.says("connected");
    server.answer = 503;
    server.cut();
    await tab.says(/^reconnecting in /);
    await tab.page.reload();
    await tab.says(/^reconnecting in /);
    server.answer = "chat";
    const before = server.subscriptions();
    await tab.says("connected");
    expect(server.subscriptions()).toBeLessThanOrEqual(before + 1);
  });
});

async function open(count: number, device: BrowserContext, server: Server, stage: Stage, setUp: Partial<SetUp> = {}) {
  const tabs: Tab[] = [];
  for (let index = 0; index < count; index++) tabs.push(await stage.open(device, server, setUp, outage));
  for (const tab of tabs) await tab.says("connected");
  expect(server.subscriptions()).toBe(count);
  return tabs;
}

/** How many attempts are made in an outage until some tab waits for the sixth, and how many more until all are back. */
async function attemptsOf(count: number, stage: Stage, setUp: Partial<SetUp> = {}) {
  const server = await stage.server({ httpVersion: "2" });
  const device = await stage.newDevice();
  await device.addInitScript(() => {
    Math.random = () => 0.5;
  });
  const session = { policies: { network: growing, aborted: growing } };
  const tabs = await open(count, device, server, stage, { session, ...setUp });
  server.answer = 503;
  server.cut();
  const waitedFor = await vi.waitFor(async () => {
    const attempts = await Promise.all(tabs.map(async (tab) => (await tab.shown()).attempt));
    expect(Math.max(...attempts)).toBeGreaterThanOrEqual(6);
    return Math.max(...attempts);
  }, patience);
  const made = server.subscriptions() - count;
  server.answer = "chat";
  for (const tab of tabs) await tab.press("try now");
  for (const tab of tabs) await tab.says("connected");
  await vi.waitFor(() => expect(server.open()).toBe(count), patience);
  return { waitedFor, made, afterwards: server.subscriptions() - count - made };
}

/** Ends its process: the page has no chance to say goodbye. */
async function crash(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent("crash");
  devtools.send("Page.crash").catch(() => {}); // nobody is left to answer
  await crashed;
}
