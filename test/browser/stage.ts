import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test as plain, vi } from "vitest";
import { leaveNothing } from "../wire/leave-nothing.js";
import { type Child, startChild } from "./child.js";
import { type Chromium, certificate, startChromium } from "./chromium.js";
import type { SetUp, Shown } from "./page/set-up.js";
import { pageFiles } from "./page-files.js";
import { type Server, type ServerOptions, startServer } from "./server.js";

interface Closeable {
  close(): unknown;
}

type Given = Omit<ServerOptions, "files" | "certificate">;

/** One tab with the chat in it. */
export interface Tab {
  readonly page: Page;
  /** Waits until the status line says this. */
  says(status: string | RegExp): Promise<void>;
  /** Waits until these are the messages in sight. */
  reads(...texts: readonly string[]): Promise<void>;
  /** Every status line since the page was loaded, and what else it shows to tests. */
  shown(): Promise<Shown>;
  press(button: "try now" | "log in again"): Promise<void>;
  /** How many attempts its subscription has made, in all its loads: also those that reached nobody. */
  attempts(): number;
}

/** What a test has to do with. All of it is closed when the test is over, the last thing first. */
export interface Stage {
  readonly chromium: Chromium;
  own<T extends Closeable>(thing: T): T;
  server(options: Given): Promise<Server>;
  /** A server in a process of its own. */
  child(options: Given): Promise<Child>;
  /** A device with nothing in its storage. Others have used it, and will. */
  device(): Promise<BrowserContext>;
  /** A device for this test alone, which may do to it what cannot be undone. */
  newDevice(): Promise<BrowserContext>;
  open(context: BrowserContext, at: { readonly url: string }, setUp?: Partial<SetUp>, visit?: Visit): Promise<Tab>;
}

interface Visit {
  /** What may be on its console: all else fails the test. @default nothing */
  readonly expected?: RegExp;
  /** Called with the page while it is still empty. */
  readonly before?: (page: Page) => Promise<unknown>;
  /** @default "/" */
  readonly path?: string;
}

/** For `vi.waitFor`: a safety net, never a measure. */
export const patience = { timeout: 120_000, interval: 50 };

/** For tests in which requests fail: Chromium says so by itself. */
export const outage: Visit = { expected: /^Failed to load resource: / };

/** Delays of ms where the defaults have seconds. */
export const soon = { initialMs: 50, maxMs: 200, jitter: "none" } as const;

export const soonForAll = { unauthenticated: soon, maintenance: soon, throttled: soon, aborted: soon, network: soon };

/** For the top of a test file: one Chromium for all of its tests, and a stage for each, also where they are concurrent. */
export function onStage() {
  // Nets, too: other test files may be at work. With more tests at once, none would be done sooner.
  vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000, maxConcurrency: 3 });
  leaveNothing(); // the first, so that it looks when all else is closed
  let chromium: Chromium | undefined;
  beforeAll(async () => {
    chromium = await startChromium();
  });
  afterAll(() => chromium?.close());

  return plain.extend<{ stage: Stage }>({
    stage: async ({ task }, use) => {
      if (!chromium) throw new Error(`Chromium has not started for ${task.name}`);
      const things: Closeable[] = [];
      const tabs: Tab[] = [];
      const problems: string[] = [];
      await use(stageIn(chromium, things, tabs, problems));
      const found = problems.splice(0);
      if (task.result?.state === "fail") {
        for (const tab of tabs) console.error("a tab told", await tab.shown().catch(String), found);
      }
      for (const thing of things.reverse()) {
        try {
          await thing.close();
        } catch (error) {
          found.push(`not closed: ${error}`);
        }
      }
      expect(found).toEqual([]);
    },
  });
}

function stageIn(chromium: Chromium, things: Closeable[], tabs: Tab[], problems: string[]): Stage {
  const own = <T extends Closeable>(thing: T): T => {
    things.push(thing);
    return thing;
  };
  const given = { files: pageFiles(), certificate };
  const origins = new Set<string>();
  return {
    chromium,
    own,
    server: async (options) => own(await startServer({ ...options, ...given })),
    child: async (options) => own(await startChild({ ...options, ...given })),
    async device() {
      const device = await chromium.device(true);
      own({
        async close() {
          await device.setOffline(false);
          const [window] = device.pages();
          const devtools = window && (await device.newCDPSession(window));
          for (const origin of origins) {
            await devtools?.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
          }
          await devtools?.detach();
          chromium.giveBack(device);
        },
      });
      return device;
    },
    newDevice: async () => own(await chromium.device(false)),
    async open(context, { url }, setUp = {}, { expected, before, path = "/" } = {}) {
      origins.add(url);
      const page = own(await context.newPage());
      page.setDefaultTimeout(patience.timeout);
      const note = (problem: string) => {
        if (!expected?.test(problem)) problems.push(problem);
      };
      let attempts = 0;
      page.on("pageerror", (error) => note(String(error.stack ?? error)));
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") note(message.text());
      });
      page.on("request", (request) => {
        if (request.method() === "POST" && request.url().endsWith("/Subscribe")) attempts++;
      });
      await before?.(page);
      await page.goto(`${url}${path}?set-up=${encodeURIComponent(JSON.stringify(complete(setUp)))}`);
      const tab = tabOf(page, () => attempts);
      tabs.push(tab);
      return tab;
    },
  };
}

function complete({ session, ...setUp }: Partial<SetUp>): SetUp {
  return {
    protocol: "connect",
    account: "ann",
    ...setUp,
    session: { policies: soonForAll, rateLimit: false, ...session },
  };
}

function tabOf(page: Page, attempts: () => number): Tab {
  const shown = () => page.evaluate(() => globalThis.shown);
  /** Polls from here, for a page that is hidden or whose clock stands still does not. */
  const until = (look: () => Promise<void>) => vi.waitFor(look, patience);
  return {
    page,
    shown,
    attempts,
    says: (status) =>
      until(async () => {
        const line = await page.evaluate(() => document.querySelector("[role=status]")?.textContent);
        if (typeof status === "string") expect(line).toBe(status);
        else expect(line).toMatch(status);
      }),
    reads: (...texts) =>
      until(async () => {
        const read = await page.evaluate(() => [...document.querySelectorAll("li")].map((line) => line.textContent));
        expect(read).toEqual(texts);
      }),
    press: (button) =>
      page.evaluate((name) => document.querySelector<HTMLElement>(`[name="${name}"]`)?.click(), button),
  };
}
