import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createAudit } from "../../src/server/audit/audit.js";
import { loggable } from "../../src/server/audit/loggable.js";
import { AdminService, adminService, channels, type Logger } from "../../src/server/index.js";
import { openVenue } from "./venue.js";

/** Everything that is published on our channels until the test ends. */
function tune(then: (name: string, message: unknown) => void): void {
  for (const [name, channel] of Object.entries(channels)) {
    const hear = (message: unknown) => then(name, message);
    subscribe(channel, hear);
    onTestFinished(() => void unsubscribe(channel, hear));
  }
}

/** Every line, as it would be written down. */
function createPaper(lines: string[]): Logger {
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

describe("a verdict", () => {
  test("is logged and published before anything is cut, and its outcome afterwards", async () => {
    const events: string[] = [];
    const venue = openVenue();
    tune((name, message) =>
      events.push(`${name}, inside: ${venue.bouncer.count()} ${Object.keys(message as object).sort()}`),
    );
    venue.enter({ user: "ann" });
    await venue.clock.settle();
    await venue.bouncer.kick({ user: "ann" });
    expect(events).toEqual(["verdict, inside: 1 bouncer,matched,verdict", "outcome, inside: 0 bouncer,report,verdict"]);
  });

  test("is published as it was decided, with who decided and why", async () => {
    const events: [string, unknown][] = [];
    tune((...event) => events.push(event));
    const { bouncer, clock, enter } = openVenue();
    enter({ user: "ann" });
    await clock.settle();
    const report = await bouncer.kick({ user: "ann" }, { code: "afk" }, { by: "eve", note: "idle" });
    const verdict = {
      id: report.verdict,
      at: new Date(clock.now()),
      selector: { user: "ann" },
      words: { reason: "kicked", code: "afk" },
      by: "eve",
      note: "idle",
    };
    expect(events).toEqual([
      ["verdict", { bouncer: bouncer.name, verdict, matched: 1 }],
      ["outcome", { bouncer: bouncer.name, verdict, report }],
    ]);
  });

  test("is counted by reason, refusals and endings too", async () => {
    const { bouncer, clock, enter } = openVenue();
    for (let i = 0; i < 3; i++) enter({ user: "ann" });
    await clock.settle();
    await bouncer.ban({ user: "ann" });
    for (let i = 0; i < 2; i++) enter({ user: "ann" });
    await clock.settle();
    const { admitted, verdicts, refusals, endings, inside } = bouncer.stats();
    expect(admitted).toBe(3);
    expect(verdicts).toMatchObject({ banned: 1, kicked: 0 });
    expect(refusals).toMatchObject({ banned: 2, kicked: 0 });
    expect(endings).toEqual({ told: 3, forced: 0, left: 0, failed: 0 });
    expect(inside).toEqual({ streams: 0, users: 0, sessions: 0 });
  });

  test("that is only tried is neither counted nor told", async () => {
    const events: unknown[] = [];
    tune((...event) => events.push(event));
    const { bouncer, clock, enter } = openVenue();
    enter({ user: "ann" });
    await clock.settle();
    expect(await bouncer.kick({ user: "ann" }, {}, { dryRun: true })).toMatchObject({ matched: 1, verdict: undefined });
    expect(events).toEqual([]);
    expect(bouncer.stats().verdicts.kicked).toBe(0);
    expect(bouncer.count()).toBe(1);
  });
});

test("what was counted is a copy: nobody else can count", () => {
  const { bouncer } = openVenue();
  const stats = bouncer.stats();
  (stats.verdicts as { kicked: number }).kicked = 99;
  expect(bouncer.stats().verdicts.kicked).toBe(0);
});

test("a refusal is published with who was refused", async () => {
  const events: [string, unknown][] = [];
  const { bouncer, clock, enter } = openVenue();
  await bouncer.ban({ user: "ann" }, { message: "Cheating" });
  tune((...event) => events.push(event));
  enter({ user: "ann", session: "s1" });
  await clock.settle();
  const who = { user: "ann", session: "s1", method: "chat.v1.ChatService/Subscribe", peer: undefined };
  expect(events).toEqual([
    ["refusal", { bouncer: bouncer.name, words: { reason: "banned", message: "Cheating" }, ...who }],
  ]);
});

test("how far a drain is, is published at its start, each second, and at its end", async () => {
  const steps: unknown[] = [];
  const { bouncer, clock, enter } = openVenue();
  for (const user of ["ann", "bob"]) enter({ user });
  await clock.settle();
  tune((name, message) => {
    if (name === "drain") steps.push(message);
  });
  const report = bouncer.drain({ overMs: 2_000 });
  await clock.advance(2_000);
  const done = {
    bouncer: bouncer.name,
    progress: { total: 2, inside: 0, report: await report, leftMs: 0, done: true },
  };
  expect(steps.length).toBeGreaterThanOrEqual(3);
  expect(steps[0]).toMatchObject({ bouncer: bouncer.name, progress: { total: 2, inside: 2, done: false } });
  expect(steps.at(-1)).toEqual(done);
});

test("a logger that throws harms nothing, and is reported", async () => {
  const reported: unknown[] = [];
  const own = new Error("disk full");
  const broken = () => {
    throw own;
  };
  const { bouncer, clock, enter } = openVenue({
    logger: { debug: broken, info: broken, warn: broken, error: broken },
    reportError: (error) => reported.push(error),
  });
  const guest = enter({ user: "ann" });
  await clock.settle();
  expect(await bouncer.ban({ user: "ann" })).toMatchObject({ matched: 1, told: 1 });
  expect((await guest.end)?.reason).toBe("banned");
  expect((await enter({ user: "ann" }).end)?.reason).toBe("banned");
  expect(new Set(reported)).toEqual(new Set([own]));
});

test("a subscriber that throws keeps no verdict from being carried out; Node tells of it as it always does", async () => {
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const uncaught: unknown[] = [];
  const note = (error: unknown) => void uncaught.push(error);
  process.on("uncaughtException", note);
  onTestFinished(() => {
    process.off("uncaughtException", note);
    for (const listener of others) process.on("uncaughtException", listener);
  });
  tune((name) => {
    throw new Error(`at ${name}`);
  });
  const { bouncer, clock, enter } = openVenue();
  const guest = enter({ user: "ann" });
  await clock.settle();
  expect(await bouncer.ban({ user: "ann" })).toMatchObject({ told: 1 });
  expect((await guest.end)?.reason).toBe("banned");
  expect((await enter({ user: "ann" }).end)?.reason).toBe("banned");
  await clock.settle();
  expect(uncaught.map(String)).toEqual(["Error: at verdict", "Error: at outcome", "Error: at refusal"]);
});

test("without a logger, failures are reported; with one, they are logged and not reported", () => {
  const reported: unknown[] = [];
  const lines: string[] = [];
  createAudit("b1", undefined, (error) => reported.push(error)).failure("first", "it failed");
  createAudit("b1", createPaper(lines), (error) => reported.push(error)).failure("second", "it failed");
  expect(reported).toEqual(["first"]);
  expect(lines).toEqual(['error it failed {"event":"failure","err":"second"}']);
});

test("nothing secret is written down or published: no header, no token", async () => {
  const lines: string[] = [];
  tune((name, message) => lines.push(`${name} ${JSON.stringify(message)}`));
  const { bouncer, clock, enter, headerOf, transport } = openVenue({
    logger: createPaper(lines),
    identify: ({ header }) => {
      if (header.get("authorization")?.endsWith("broken")) throw new TypeError("not a token");
      return { user: "ann" };
    },
  });
  const call = async (token: string) => {
    const header = headerOf({});
    header.set("authorization", `Bearer s3cr3t-${token}`);
    await createClient(ChatService, transport)
      .say({ text: "s3cr3t" }, { headers: header })
      .catch(() => {});
  };
  await call("good");
  await call("broken");
  enter({});
  await clock.settle();
  await bouncer.ban({ user: "ann" }, { message: "Bye" });
  await call("banned");
  enter({});
  await clock.settle();
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.filter((line) => /s3cr3t|bearer|authorization/i.test(line))).toEqual([]);
});

describe("a log line", () => {
  const nasty = "eve\r\nINFO forged\u001b[31m\u009b2J\u0000";
  /** As a logger for people writes it: nothing is escaped. */
  const plain = (lines: string[]): Logger => {
    const shown = (value: unknown): unknown =>
      typeof value === "object" && value !== null
        ? Object.entries(value).map(([name, entry]) => `${name}=${shown(entry)}`)
        : value;
    const write = (fields: object, message: string) => void lines.push(`${message} ${shown(fields)}`);
    return { debug: write, info: write, warn: write, error: write };
  };

  test("holds no control character of what a user, an admin or a command says, and no text without end", async () => {
    const lines: string[] = [];
    const { bouncer, clock, enter } = openVenue({ logger: plain(lines) });
    enter({ user: nasty, session: nasty, tags: [nasty] });
    await clock.settle();
    const words = { code: nasty, message: `${nasty}${"x".repeat(10_000_000)}` };
    await bouncer.kick({ user: nasty }, words, { by: nasty, note: nasty });
    await bouncer.ban({ user: nasty }, words, { by: nasty });
    enter({ user: nasty });
    await clock.settle();
    expect(lines.length).toBeGreaterThanOrEqual(4);
    for (const line of lines) {
      expect(line).not.toMatch(/\p{Cc}/u);
      expect(line.length).toBeLessThan(10_000);
    }
    expect(lines.some((line) => line.includes("eve  INFO forged [31m"))).toBe(true);
  });

  test("of an admin's call holds no control character of the name that authorize gives", async () => {
    const lines: string[] = [];
    const { bouncer } = openVenue({ logger: plain(lines) });
    const { list, lift } = createClient(
      AdminService,
      createRouterTransport(({ service }) => service(AdminService, adminService(bouncer, { authorize: () => nasty }))),
    );
    await list({ selector: { user: nasty } });
    await lift({ selector: { user: "ann" }, note: nasty });
    expect(lines.length).toBeGreaterThanOrEqual(2);
    for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u);
  });

  test("keeps errors, dates and numbers as they are", () => {
    const at = new Date(0);
    const err = new Error("two\nlines");
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const logged = loggable({ at, err, n: 1, none: undefined, circle, many: Array(5_000).fill(1) }) as {
      readonly many: readonly unknown[];
    };
    expect(logged).toMatchObject({ at, err, n: 1, none: undefined });
    expect(logged.many).toHaveLength(1_000);
  });
});
