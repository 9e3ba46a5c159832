import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, vi } from "vitest";
import { onStage, outage, patience } from "./stage.js";

// A device that loses its network, and knows it. Chromium cuts no stream then, and nobody is told.

const test = onStage();

const back = expect.stringMatching(/^reconnecting in 1 s: /);

describe.concurrent("a user who goes offline", () => {
  test.for(["1.1", "2"] as const)(
    "is told at once, and comes back without a message lost, over HTTP/%s",
    async (httpVersion, { stage }) => {
      const server = await stage.server({ httpVersion });
      const device = await stage.device();
      const tab = await stage.open(device, server);
      await tab.reads("ann has joined");
      await device.setOffline(true);
      await tab.says("you are offline");
      await vi.waitFor(() => expect(server.open()).toBe(0), patience);
      server.say("while you were away");
      await tab.press("try now");
      await sleep(300);
      expect(tab.attempts()).toBe(1);
      await device.setOffline(false);
      await tab.says("connected");
      await tab.reads("ann has joined", "while you were away", "ann is back");
      expect((await tab.shown()).statuses).toEqual(["connecting", "connected", "you are offline", back, "connected"]);
      expect(server.subscriptions()).toBe(2);
      expect(server.open()).toBe(1);
    },
  );

  test("makes no attempt in a minute, nor in a day", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const device = await stage.newDevice();
    const tab = await stage.open(device, server, {}, { before: (page) => page.clock.install() });
    await tab.says("connected");
    await device.setOffline(true);
    await tab.says("you are offline");
    await tab.page.clock.runFor("01:00");
    await tab.page.clock.fastForward("24:00:00");
    await tab.page.clock.runFor("01:00");
    await tab.says("you are offline");
    expect(tab.attempts()).toBe(1);
    await device.setOffline(false);
    await tab.says("connected");
    expect((await tab.shown()).statuses).toEqual(["connecting", "connected", "you are offline", back, "connected"]);
    expect(server.subscriptions()).toBe(2);
  });

  test("stops to try what was tried before", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tab = await stage.open(device, server, {}, outage);
    await tab.says("connected");
    await server.stop();
    await tab.says(/^reconnecting in 1 s: network, /);
    await device.setOffline(true);
    await tab.says("you are offline");
    const before = tab.attempts();
    await server.start();
    await tab.press("try now");
    await sleep(500);
    expect(tab.attempts()).toBe(before);
    expect(server.subscriptions()).toBe(1);
    await device.setOffline(false);
    await tab.says("connected");
    expect(tab.attempts()).toBe(before + 1);
    expect(server.subscriptions()).toBe(2);
  });

  test("is told so instead of an error when opening something new", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tab = await stage.open(device, server);
    await tab.says("connected");
    await server.bouncer.kick({ user: "ann" }, { message: "Idle" });
    await tab.says("kicked: Idle");
    await device.setOffline(true);
    await tab.press("log in again");
    await tab.says("you are offline");
    await sleep(300);
    expect(tab.attempts()).toBe(1);
    await device.setOffline(false);
    await tab.says("connected");
    expect(server.subscriptions()).toBe(2);
  });

  test("and online, and offline again, does not get round the rate limit", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tab = await stage.open(device, server, { session: { rateLimit: { burst: 3, perMs: 600_000 } } });
    await tab.says("connected");
    for (let flap = 0; flap < 6; flap++) {
      await device.setOffline(true);
      await tab.says("you are offline");
      await device.setOffline(false);
      await tab.says(flap < 3 ? "connected" : /^reconnecting in \d\d+ s: /);
    }
    expect(server.subscriptions()).toBe(1 + 3);
  });

  test("in every tab is told so in every tab", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const device = await stage.device();
    const tabs = [await stage.open(device, server), await stage.open(device, server)];
    for (const tab of tabs) await tab.says("connected");
    await device.setOffline(true);
    for (const tab of tabs) await tab.says("you are offline");
    await device.setOffline(false);
    for (const tab of tabs) await tab.says("connected");
    expect(server.subscriptions()).toBe(4);
    expect(server.open()).toBe(2);
  });
});
