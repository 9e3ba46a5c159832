import type { BrowserContext } from "playwright-core";
import { describe, expect, vi } from "vitest";
import { someOf } from "../runs.js";
import { onStage, outage, patience, type Stage } from "./stage.js";

// Browsers that keep nothing, or have not all of it: old ones, private windows, full disks, sandboxes. A session then
// does what it can without, and nothing is to be read of it on the console.

const test = onStage();

const gone = (owner: string, name: string) => `Object.defineProperty(${owner}, "${name}", { get: () => undefined });`;
const denied = (owner: string, name: string) =>
  `Object.defineProperty(${owner}, "${name}", { get() { throw new DOMException("denied", "SecurityError"); } });`;
const failing = (method: string, error: string) =>
  `${method} = () => { throw new DOMException("it is ${error}", "${error}"); };`;

/** What happens to a page before it starts, and whether a kick is remembered all the same. */
const browsers = {
  "no localStorage": [false, gone("window", "localStorage")],
  "a localStorage that is denied": [false, denied("window", "localStorage")],
  "a localStorage that is full": [false, failing("Storage.prototype.setItem", "QuotaExceededError")],
  "no BroadcastChannel": [true, gone("window", "BroadcastChannel")],
  "a BroadcastChannel that is denied": [true, denied("window", "BroadcastChannel")],
  "no Web Locks": [true, gone("navigator", "locks")],
  "Web Locks that are denied": [true, denied("navigator", "locks")],
  "Web Locks that are refused": [true, 'LockManager.prototype.request = async () => { throw new Error("refused"); };'],
  "none of them": [
    false,
    gone("window", "localStorage") + gone("window", "BroadcastChannel") + gone("navigator", "locks"),
  ],
  "all of them denied": [
    false,
    denied("window", "localStorage") + denied("window", "BroadcastChannel") + denied("navigator", "locks"),
  ],
} as const satisfies { readonly [name: string]: readonly [remembers: boolean, script: string] };

describe.concurrent("two tabs come back after an outage, and are kicked, in a browser with", () => {
  test.for(someOf(Object.entries(browsers)))("%s", async ([, [remembers, content]], { stage }) => {
    const device = await stage.newDevice();
    await device.addInitScript({ content });
    await story(stage, device, "/", remembers);
  });

  test("a sandbox around the page", async ({ stage }) => {
    await story(stage, await stage.device(), "/sandboxed", false);
  });
});

async function story(stage: Stage, device: BrowserContext, path: string, remembers: boolean): Promise<void> {
  const server = await stage.server({ httpVersion: "1.1" });
  const setUp = { api: server.url };
  const tab = await stage.open(device, server, setUp, { ...outage, path });
  const other = await stage.open(device, server, setUp, { ...outage, path });
  for (const each of [tab, other]) await each.says("connected");

  await server.stop();
  for (const each of [tab, other]) await each.says(/^reconnecting in 1 s: network, /);
  await server.start();
  for (const each of [tab, other]) await each.says("connected");
  expect(server.subscriptions()).toBe(4);

  await server.bouncer.kick({ user: "ann" }, { message: "Idle" });
  for (const each of [tab, other]) await each.says("kicked: Idle");
  await tab.press("log in again");
  await tab.says("connected");
  await other.page.reload();
  await other.says("connected");
  expect(server.subscriptions()).toBe(6);
  await vi.waitFor(() => expect(server.open()).toBe(2), patience);

  await server.bouncer.kick({ user: "ann" }, { message: "Idle" });
  for (const each of [tab, other]) await each.says("kicked: Idle");
  await tab.page.reload();
  await tab.says(remembers ? "kicked: Idle" : "connected");
  expect(server.subscriptions()).toBe(remembers ? 6 : 7);
}
