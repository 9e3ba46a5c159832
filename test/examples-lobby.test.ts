import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Chromium, startChromium } from "./browser/chromium.js";
import { type RunningExample, startExample } from "./running-example.js";
import { leaveNothing, patience } from "./wire/leave-nothing.js";

// The lobby as its users have it: built, started by its one command, and driven in a real Chromium. Built in a folder of
// its own, for examples.test.ts builds into dist/ at the same time.

const root = fileURLToPath(new URL("..", import.meta.url));
const slow = { timeout: 300_000 };
leaveNothing();
let folder: string;
let chromium: Chromium;
let lobby: RunningExample;
let players: string;
let staff: Page;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "farewell-lobby-"));
  const built = [join(root, "examples/dist")];
  for (const name of [
    "src",
    "examples",
    "package.json",
    "tsconfig.json",
    "tsconfig.build.json",
    "tsconfig.server.json",
  ]) {
    await cp(join(root, name), join(folder, name), { recursive: true, filter: (path) => !built.includes(path) });
  }
  await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  const run = (script: string, ...parameters: readonly string[]) =>
    execFileSync(process.execPath, [join(root, "node_modules", script), ...parameters], {
      cwd: folder,
      stdio: "inherit",
      env: { ...process.env, NODE_ENV: "production" }, // not the one of tests: React has another form for it
    });
  for (const project of ["tsconfig.build.json", "tsconfig.server.json", "examples"]) {
    run("typescript/bin/tsc", "-p", project);
  }
  run("vite/bin/vite.js", "build", "examples/lobby/web", "--logLevel", "warn");

  chromium = await startChromium();
  vi.stubEnv("LOBBY_PORT", "0");
  vi.stubEnv("LOBBY_DOWN_MS", "1000");
  lobby = startExample(folder, "lobby/main.js", []);
  const [, forPlayers = "", forStaff = ""] = await lobby.prints(/^players +(\S+)\nstaff +(\S+)$/m);
  players = forPlayers;
  staff = await open(await chromium.device(false), forStaff);
}, slow.timeout);

afterAll(async () => {
  vi.unstubAllEnvs();
  await chromium?.close();
  lobby?.kill("SIGTERM");
  expect(await lobby?.exited).toEqual([0, null]);
  expect(lobby?.stderr).toBe("");
  await rm(folder, { recursive: true, force: true });
}, slow.timeout);

describe.concurrent("the lobby", slow, () => {
  test("lets two players chat", async () => {
    const ann = await enter("Ann");
    const ben = await enter("Ben");
    await say(ann, "Hello, Ben");
    await ben.getByText("Hello, Ben").waitFor();
    await say(ben, "Hello, Ann");
    await ann.getByText("Hello, Ann").waitFor();
    await leave(ann, ben);
  });

  test("tells a kicked player why, and leaves the server in peace until the player comes back", async () => {
    const cleo = await enter("Cleo");
    await cleo.clock.setFixedTime(Date.now()); // a kick is held for a minute: it lasts as long as the test does
    await staff.getByLabel("What they are told").fill("Idle for ten minutes");
    await press(staff, "Kick Cleo");
    await heading(cleo, "You were put out");
    await cleo.getByText("Idle for ten minutes").waitFor();
    await cleo.reload();
    await heading(cleo, "You were put out");
    await sleep(1_500);
    expect(subscriptions(cleo)).toBe(1);
    await press(cleo, "Join again");
    await cleo.getByText("Cleo joined").last().waitFor();
    expect(subscriptions(cleo)).toBe(2);
    await leave(cleo);
  });

  test("keeps a banned player out across a reload, without asking the server, until the ban is lifted", async () => {
    const dora = await enter("Dora");
    await press(staff, "Ban Dora for 10 minutes");
    await heading(dora, "You are banned");
    expect(await dora.getByRole("timer").textContent()).toMatch(/^(10:00|\d:\d\d) min$/);
    await dora.reload();
    await heading(dora, "You are banned");
    await sleep(500);
    expect(subscriptions(dora)).toBe(1);
    await press(dora, "It was lifted: ask the server");
    await vi.waitFor(() => expect(subscriptions(dora)).toBe(2), patience);
    await heading(dora, "You are banned");
    await press(staff, "Unban Dora");
    await staff.getByText("Dora may come back").waitFor();
    await press(dora, "It was lifted: ask the server");
    await inside(dora);
    expect(subscriptions(dora)).toBe(3);
    await leave(dora);
  });

  test("has the newest tab of a player win, and the others stay quiet", async () => {
    const old = await enter("Emil");
    const young = await enter("Emil", old.context());
    await heading(old, "You joined somewhere else");
    await sleep(1_500);
    expect([subscriptions(old), subscriptions(young)]).toEqual([1, 1]);
    await old.bringToFront();
    await old.reload(); // the same login knocks, and is refused
    await heading(old, "You joined somewhere else");
    await press(old, "Use here");
    await inside(old);
    await heading(young, "You joined somewhere else");
    await sleep(500);
    expect([subscriptions(old), subscriptions(young)]).toEqual([3, 1]);
    await leave(old, young);
  });
});

describe("the lobby whose server goes away", slow, () => {
  test("comes back from a crash by itself, or when the player says so", async () => {
    const fred = await enter("Fred");
    const restarted = await nextStart();
    await press(staff, "Crash it");
    await heard(fred, "Connection lost.");
    await restarted();
    await fred
      .getByRole("button", { name: "Try now" })
      .click({ timeout: 500 })
      .catch(() => {}); // if it still waits
    await heard(fred, "Back. You missed nothing.");
    await leave(fred);
  });

  test("announces a deploy, says when it is back, and loses no message", async () => {
    const gwen = await enter("Gwen");
    const hal = await enter("Hal");
    await staff.getByLabel("Warn (seconds)").fill("3");
    await staff.getByLabel("Away (seconds)").fill("6");
    const restarted = await nextStart();
    await press(staff, "Deploy");
    await heard(gwen, /Maintenance: A new version is coming. It begins in [1-3] s/);
    await heard(gwen, /Back at/);
    await restarted();
    await say(hal, "I was faster"); // both are still out: only what they follow waits
    await Promise.all([gwen, hal].map((page) => heard(page, "Back. You missed nothing.")));
    for (const page of [gwen, hal]) {
      await page.getByText("I was faster").waitFor();
      expect(await page.getByText("I was faster").count()).toBe(1);
      expect(await page.getByText(/^(Gwen|Hal) left$/).count()).toBe(0);
      expect(answered.get(page)).toBe(2); // who comes at the time that was said may be there before a slow server
    }
    await leave(gwen, hal);
  });
});

const subscribed = new WeakMap<Page, number>();

/** How many subscriptions of a page a server has answered. */
const answered = new WeakMap<Page, number>();

/** How many subscriptions a page has asked for, in all its loads: also those that reached nobody. */
function subscriptions(page: Page): number {
  return subscribed.get(page) ?? 0;
}

async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.addInitScript(listen);
  await page.emulateMedia({ reducedMotion: "reduce" }); // what moves cannot be clicked yet
  page.on("request", (request) => {
    if (request.url().endsWith("/lobby.v1.LobbyService/Subscribe") && request.method() === "POST") {
      subscribed.set(page, subscriptions(page) + 1);
    }
  });
  page.on("response", (response) => {
    if (response.url().endsWith("/lobby.v1.LobbyService/Subscribe") && response.request().method() === "POST") {
      answered.set(page, (answered.get(page) ?? 0) + 1);
    }
  });
  await page.goto(url);
  return page;
}

/** A player who is inside: on a device of its own, or in a further tab of one. */
async function enter(name: string, context?: BrowserContext): Promise<Page> {
  const page = await open(context ?? (await chromium.device(false)), players);
  await page.getByLabel("Name").fill(name);
  await press(page, "Join");
  await inside(page);
  return page;
}

async function inside(page: Page): Promise<void> {
  await page.getByRole("heading", { name: "Here now" }).waitFor();
  await says(page, "");
}

async function leave(...pages: readonly Page[]): Promise<void> {
  for (const page of pages) await page.close();
}

/** Not by the mouse: the staff's list moves while other tests come and go, and the click would go to the next row. */
async function press(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).evaluate((button: HTMLElement) => button.click());
}

async function heading(page: Page, name: string): Promise<void> {
  await page.getByRole("heading", { name, exact: true }).waitFor();
}

/** Waits until the banner says this. Nothing: that all is well. */
async function says(page: Page, words: string): Promise<void> {
  const banner = page.getByRole("status");
  await vi.waitFor(async () => expect(await banner.textContent()).toMatch(words === "" ? /^\s*$/ : words), {
    timeout: 120_000,
    interval: 20,
  });
}

/** In a page: notes whatever its banner says, for a moment even. */
function listen(): void {
  const heard: string[] = [];
  Object.assign(globalThis, { heard });
  new MutationObserver(() => {
    const words = document.querySelector("[role=status]")?.textContent ?? "";
    if (heard.at(-1) !== words) heard.push(words);
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

/** Waits until the banner has said this since the page was loaded. */
async function heard(page: Page, words: string | RegExp): Promise<void> {
  const all = () => page.evaluate(() => (globalThis as unknown as { readonly heard: readonly string[] }).heard);
  await vi.waitFor(async () => expect((await all()).join("\n")).toMatch(words), patience);
}

/** Call what it returns to wait until the game server has started once more. */
async function nextStart(): Promise<() => Promise<void>> {
  const starts = staff.locator("li.server", { hasText: "started" });
  const before = await starts.count();
  return async () => {
    await vi.waitFor(async () => expect(await starts.count()).toBeGreaterThan(before), patience);
  };
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await press(page, "Send");
  await vi.waitFor(
    async () => expect(await page.getByRole("textbox", { name: "Message" }).inputValue()).toBe(""),
    patience,
  );
}
