// Takes the pictures of the lobby (examples/lobby) for docs/screenshots, in every state that a player can be in.
//
// Run: npm run lobby:build && node scripts/screenshots.mjs [folder]
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { findChromium } from "./chromium.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = process.argv[2] ?? join(root, "docs/screenshots");
const desk = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };

const lobby = spawn(process.execPath, ["examples/dist/lobby/main.js"], {
  cwd: root,
  env: { ...process.env, LOBBY_PORT: "0", LOBBY_DOWN_MS: "7000" },
  stdio: ["ignore", "pipe", "inherit"],
});
const browser = await chromium.launch({
  executablePath: findChromium(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
});
try {
  mkdirSync(folder, { recursive: true });
  await tour(await addresses(lobby.stdout));
} finally {
  await browser.close();
  lobby.kill();
}

async function tour({ players, staff }) {
  const ann = await open(players);
  await ann.getByLabel("Name").fill("Ann");
  await shoot(ann, "join", [desk, "light"], [phone, "dark"]);
  await enter(ann, "Ann");
  const ben = await open(players);
  await enter(ben, "Ben");
  const cleo = await open(players);
  await enter(cleo, "Cleo");
  const dora = await open(players);
  await enter(dora, "Dora");

  await say(ann, "Morning! Is anybody up for a match later?");
  await say(ben, "Me. But there is a deploy at nine, I heard.");
  await say(ben, "Last time it felt like an outage.");
  await say(cleo, "Not any more. You are told when it is back, and you miss nothing.");
  await say(ann, "Then let us meet right after it.");
  await ann.getByText("right after it").waitFor();
  await shoot(ann, "room", [desk, "light"], [desk, "dark"], [phone, "light"]);

  const admin = await open(staff);
  await admin.getByRole("button", { name: "Kick Dora" }).waitFor();
  await admin.getByRole("button", { name: "Crash it" }).click();
  await ann.getByText(/Next try in [3-9] s/).waitFor();
  await shoot(ann, "lost", [desk, "light"], [phone, "dark"]);
  await ann.getByText("Back. You missed nothing.").waitFor();
  await shoot(ann, "back", [phone, "light"]);
  for (const page of [ben, cleo, dora]) await calm(page);

  await ann.context().setOffline(true);
  await ann.getByText("You are offline").waitFor();
  await shoot(ann, "offline", [desk, "dark"], [phone, "light"]);
  await ann.context().setOffline(false);
  await calm(ann);

  const other = await ben.context().newPage();
  await other.goto(players);
  await enter(other, "Ben");
  await ben.getByRole("heading", { name: "You joined somewhere else" }).waitFor();
  await shoot(ben, "superseded", [desk, "light"], [phone, "light"]);

  await admin.getByLabel("What they are told").fill("Idle for ten minutes");
  await admin.getByRole("button", { name: "Kick Cleo" }).click();
  await cleo.getByRole("heading", { name: "You were put out" }).waitFor();
  await shoot(cleo, "kicked", [desk, "light"], [phone, "dark"]);

  await admin.getByLabel("What they are told").fill("Spam in the lobby");
  await admin.getByRole("button", { name: "Ban Ben for 10 minutes" }).click();
  await other.getByRole("heading", { name: "You are banned" }).waitFor();
  await shoot(other, "banned", [desk, "dark"], [phone, "light"]);
  await admin.getByLabel("What they are told").fill("Cheating");
  await admin.getByRole("button", { name: "Ban Dora for good" }).click();
  await dora.getByRole("heading", { name: "You are banned" }).waitFor();
  await shoot(dora, "banned-for-good", [phone, "light"]);
  await cleo.getByRole("button", { name: "Join again" }).click();
  await calm(cleo);

  await admin.getByLabel("What they are told").fill("");
  await admin.getByLabel("Warn (seconds)").fill("8");
  await admin.getByRole("button", { name: "Deploy" }).click();
  await ann.getByText(/It begins in [1-7] s/).waitFor();
  await shoot(ann, "maintenance-announced", [desk, "light"], [phone, "light"]);
  await ann.getByText(/Back at/).waitFor();
  await admin.getByText("Game server: away").waitFor();
  await shoot(ann, "maintenance", [desk, "light"], [phone, "dark"]);
  await ann.getByText("Back. You missed nothing.").waitFor({ timeout: 30_000 });
  await calm(cleo);
  await admin.getByRole("button", { name: "Kick Cleo" }).waitFor();
  await shoot(admin, "staff", [desk, "light"], [desk, "dark"], [phone, "light"]);
}

/** What the lobby prints at its start. */
async function addresses(stdout) {
  let printed = "";
  for await (const chunk of stdout.setEncoding("utf8")) {
    printed += chunk;
    const [, players, staff] = /players +(\S+)\nstaff +(\S+)/.exec(printed) ?? [];
    if (staff !== undefined) return { players, staff };
  }
  throw new Error(`the lobby did not start: ${printed}`);
}

/** A browser of its own, so to speak. */
async function open(url) {
  const context = await browser.newContext({ viewport: desk, locale: "en-GB", reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => console.error(error));
  await page.goto(url);
  return page;
}

async function enter(page, name) {
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByText(`${name} joined`).waitFor();
}

async function say(page, text) {
  await page.getByLabel("Message").last().fill(text);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(text).waitFor();
}

/** Nothing is wrong any more. */
async function calm(page) {
  await page.locator(".banner.silent").waitFor({ state: "attached" });
}

async function shoot(page, name, ...variants) {
  for (const [viewport, colorScheme] of variants) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.mouse.move(0, 0);
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const device = viewport === phone ? "phone" : "desk";
    await page.screenshot({ path: join(folder, `${name}-${device}-${colorScheme}.png`) });
  }
}
