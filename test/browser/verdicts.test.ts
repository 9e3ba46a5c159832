import type { Page } from "playwright-core";
import { describe, expect, vi } from "vitest";
import { onStage, patience } from "./stage.js";

// A verdict outlives the page that heard it, and holds in every tab: without a single request.

const test = onStage();

const ann = { user: "ann" };
const minute = 60_000;
/** A page that takes it to be later. Time goes on in it. */
const inMs = (ms: number) => ({ before: (page: Page) => page.clock.install({ time: Date.now() + ms }) });

describe.concurrent("a ban", () => {
  const banned = "banned until 2090-01-01T00:00:00.000Z: Cheating";
  const words = { until: new Date("2090-01-01"), message: "Cheating" };

  test("is held against five reloads and three tabs", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const device = await stage.device();
    const tab = await stage.open(device, server);
    await tab.says("connected");
    await server.bouncer.ban(ann, words);
    await tab.says(banned);
    const others = [await stage.open(device, server), await stage.open(device, server)];
    for (let reload = 0; reload < 5; reload++) {
      for (const each of [tab, ...others]) {
        await each.says(banned);
        await each.page.reload();
      }
    }
    for (const each of [tab, ...others]) {
      await each.says(banned);
      await each.press("try now");
      expect((await each.shown()).statuses).toEqual(["connecting", banned]);
    }
    expect(server.calls).toHaveLength(1);
    expect([tab, ...others].map(({ attempts }) => attempts())).toEqual([1, 0, 0]);
  });

  test("ends what other tabs have open, and theirs alone", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const device = await stage.device();
    const tab = await stage.open(device, server, { login: "one" });
    const other = await stage.open(device, server, { login: "two" });
    const bob = await stage.open(device, server, { account: "bob" });
    for (const each of [tab, other, bob]) await each.says("connected");
    await server.bouncer.ban({ session: "one.0" }, words);
    await tab.says(banned);
    await other.says(banned);
    await vi.waitFor(() => expect(server.open()).toBe(1), patience);
    await bob.page.reload();
    await bob.says("connected");
    expect(server.subscriptions()).toBe(4);
  });

  test("is lifted by a new login, in every tab, if the server agrees", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tab = await stage.open(device, server);
    await tab.says("connected");
    await server.bouncer.ban(ann, words);
    await tab.says(banned);
    await tab.press("log in again");
    await vi.waitFor(() => expect(tab.attempts()).toBe(2), patience);
    await tab.says(banned);
    await tab.page.reload();
    await tab.says(banned);
    expect(server.subscriptions()).toBe(2);
    await server.bouncer.unban(ann);
    await tab.page.reload();
    await tab.says(banned);
    expect(server.subscriptions()).toBe(2);
    await tab.press("log in again");
    await tab.says("connected");
    const other = await stage.open(device, server);
    await other.says("connected");
    await tab.page.reload();
    await tab.says("connected");
    expect(server.subscriptions()).toBe(5);
  });

  test("is over at its time", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.newDevice();
    const tab = await stage.open(device, server);
    await tab.says("connected");
    await server.bouncer.ban(ann, { until: new Date(Date.now() + 60 * minute) });
    await tab.says(/^banned until 2/);
    await server.bouncer.unban(ann); // for the server, the hour is over
    const before = await stage.open(device, server, {}, inMs(30 * minute));
    await before.says(/^banned until 2/);
    expect(server.subscriptions()).toBe(1);
    const after = await stage.open(device, server, {}, inMs(61 * minute));
    await after.says("connected");
    expect(server.subscriptions()).toBe(2);
  });

  test("without an end is asked about again after a while", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.newDevice();
    const setUp = { rememberMs: 10 * minute };
    const tab = await stage.open(device, server, setUp);
    await tab.says("connected");
    await server.bouncer.ban(ann, { message: "Cheating" });
    await tab.says("banned until further notice: Cheating");
    const before = await stage.open(device, server, setUp, inMs(2 * minute));
    await before.says("banned until further notice: Cheating");
    expect(server.subscriptions()).toBe(1);
    const after = await stage.open(device, server, setUp, inMs(11 * minute));
    await vi.waitFor(() => expect(after.attempts()).toBe(1), patience);
    await after.says("banned until further notice: Cheating");
    expect(server.subscriptions()).toBe(2);
  });

  test("is asked about with each reload where nothing is remembered", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), server, { memory: false });
    await tab.says("connected");
    await server.bouncer.ban(ann, words);
    await tab.says(banned);
    await tab.page.reload();
    await tab.says(banned);
    expect(server.subscriptions()).toBe(2);
    expect(await tab.page.evaluate(() => localStorage.length)).toBe(0);
  });

  test("is kept without the name of the account, or a token", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const tab = await stage.open(await stage.device(), server, { account: "ann@example.com" });
    await tab.says("connected");
    await server.bouncer.ban({ user: "ann@example.com" }, words);
    await tab.says(banned);
    const kept = await tab.page.evaluate(() => JSON.stringify(Object.entries(localStorage)));
    expect(kept).toContain("Cheating");
    expect(kept).not.toMatch(/ann@|example|bearer/i);
    expect(server.subscriptions()).toBe(1);
  });
});

describe.concurrent("a kick", () => {
  test("is held against reloads and new tabs for a minute", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const device = await stage.newDevice();
    const minuteLong = { before: (page: Page) => page.clock.setFixedTime(Date.now()) }; // it lasts as long as the test does
    const tab = await stage.open(device, server, {}, minuteLong);
    await tab.says("connected");
    await server.bouncer.kick(ann, { message: "Idle" });
    await tab.says("kicked: Idle");
    for (let reload = 0; reload < 3; reload++) {
      await tab.page.reload();
      await tab.says("kicked: Idle");
    }
    expect(server.subscriptions()).toBe(1);
    const after = await stage.open(device, server, {}, inMs(minute));
    await after.says("connected");
    expect(server.subscriptions()).toBe(2);
  });

  test("is held for as long as the app says", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2" });
    const device = await stage.newDevice();
    const setUp = { coolDownMs: 10 * minute };
    const tab = await stage.open(device, server, setUp);
    await tab.says("connected");
    await server.bouncer.kick(ann, { message: "Idle" });
    await tab.says("kicked: Idle");
    const before = await stage.open(device, server, setUp, inMs(2 * minute));
    await before.says("kicked: Idle");
    expect(server.subscriptions()).toBe(1);
    const after = await stage.open(device, server, setUp, inMs(11 * minute));
    await after.says("connected");
    expect(server.subscriptions()).toBe(2);
  });

  test("is over for all tabs with a new login in one of them", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "1.1" });
    const device = await stage.device();
    const tab = await stage.open(device, server);
    const other = await stage.open(device, server);
    await tab.says("connected");
    await other.says("connected");
    await server.bouncer.kick(ann, { message: "Idle" });
    await tab.says("kicked: Idle");
    await other.says("kicked: Idle");
    await tab.press("log in again");
    await tab.says("connected");
    await other.page.reload();
    await other.says("connected");
    expect(server.subscriptions()).toBe(4);
    await vi.waitFor(() => expect(server.open()).toBe(2), patience);
  });
});

describe.concurrent("a device that was superseded", () => {
  test("asks again after a reload: it may be its turn", async ({ stage }) => {
    const server = await stage.server({ httpVersion: "2", logins: { max: 1 } });
    const device = await stage.device();
    const phone = await stage.open(device, server, { login: "phone" });
    await phone.says("connected");
    const laptop = await stage.open(await stage.device(), server, { login: "laptop" });
    await laptop.says("connected");
    await phone.says("signed in elsewhere: laptop.0");
    await phone.page.reload();
    await phone.says("signed in elsewhere: laptop.0");
    expect(server.subscriptions()).toBe(3);
    await laptop.page.close();
    await vi.waitFor(() => expect(server.open()).toBe(0), patience);
    await phone.page.reload();
    await phone.says("connected");
    expect(server.subscriptions()).toBe(4);
  });
});
