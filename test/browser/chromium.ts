import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Browser, type BrowserContext, chromium } from "playwright-core";
import { findChromium } from "../../scripts/chromium.mjs";

/** The certificate of every server here, valid until 2126, and its key. */
export const certificate = readFileSync(new URL("../fixtures/localhost.pem", import.meta.url), "utf8");

/** A browser of its own, with nothing in its profile. */
export interface Chromium {
  /** What the user has open. Its tabs are hidden and put aside for real; all tests of a file share its storage. */
  readonly desktop: BrowserContext;
  /** Another device: storage of its own, and every tab in sight. With `again`, one that was given back. */
  device(again: boolean): Promise<BrowserContext>;
  /** Gives a device back, with nothing open on it. */
  giveBack(device: BrowserContext): void;
  /** Stops all of its processes while something goes on without it, as on a laptop that is closed. Not on Windows. */
  asleep(meanwhile: () => Promise<unknown>): Promise<void>;
  /** Resolves when it is gone, and its profile too. */
  close(): Promise<void>;
}

/**
 * Started by hand, and not by Playwright, whose own flags and emulation keep every tab awake and in sight and turn off
 * the back-forward cache.
 */
export async function startChromium(): Promise<Chromium> {
  const path = findChromium();
  if (path === undefined) throw new Error("no Chromium found: run `node scripts/chromium.mjs`");
  const profile = await mkdtemp(join(tmpdir(), "farewell-chromium-"));
  const child = spawn(path, [...flags, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill); // the tests were stopped
  const remove = () => rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  let browser: Browser;
  try {
    browser = await chromium.connectOverCDP(await Promise.race([endpointOf(child.stderr), exited.then(failed)]), {
      noDefaults: true,
      timeout: 120_000,
    });
  } catch (error) {
    kill();
    await exited;
    await remove();
    throw error;
  }
  const session = await browser.newBrowserCDPSession();
  const [desktop] = browser.contexts();
  if (!desktop) throw new Error("Chromium has no window");
  const idle: BrowserContext[] = [];
  return {
    desktop,
    async device(again) {
      const device = (again ? idle.pop() : undefined) ?? (await browser.newContext());
      // A window costs more than a tab: this one stays open.
      if (again && device.pages().length === 0) await device.newPage();
      return device;
    },
    giveBack: (device) => void idle.push(device),
    async asleep(meanwhile) {
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      try {
        for (const { id } of processInfo) process.kill(id, "SIGSTOP");
        await meanwhile();
      } finally {
        for (const { id } of processInfo) process.kill(id, "SIGCONT");
      }
    },
    async close() {
      session.send("Browser.close").catch(() => {}); // it is gone before it can answer
      const late = setTimeout(kill, 5_000);
      await exited;
      clearTimeout(late);
      process.off("exit", kill);
      await browser.close();
      await remove();
    },
  };
}

const flags = [
  "--headless",
  "--no-sandbox", // or it does not start as root
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
  // Our certificate alone is trusted, in earnest, instead of every certificate in spite of its errors.
  `--ignore-certificate-errors-spki-list=${fingerprint()}`,
];

function fingerprint(): string {
  const { publicKey } = new X509Certificate(certificate);
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");
}

/** What it says on stderr is otherwise of no interest, but has to be read, or it would stop to write. */
function endpointOf(stderr: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    createInterface({ input: stderr }).on("line", (line) => {
      const [, endpoint] = /DevTools listening on (ws:\S+)/.exec(line) ?? [];
      if (endpoint !== undefined) resolve(endpoint);
    });
  });
}

function failed(exit: readonly unknown[]): never {
  throw new Error(`Chromium did not start: it exited with ${exit.join(" ")}`);
}
