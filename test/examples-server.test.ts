import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type RunningExample, startExample } from "./running-example.js";
import { someOf } from "./runs.js";
import { leaveNothing, patience } from "./wire/leave-nothing.js";

// The examples of the server half as a reader runs them: compiled, against the built package, each in a process of its
// own. Built in a folder of their own, for examples.test.ts builds into dist/ at the same time.

const root = fileURLToPath(new URL("..", import.meta.url));
const slow = { timeout: 300_000 };
const closed = leaveNothing();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "farewell-examples-"));
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
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  for (const project of ["tsconfig.build.json", "tsconfig.server.json", "examples"]) {
    execFileSync(process.execPath, [tsc, "-p", project], { cwd: folder, stdio: "inherit" });
  }
}, slow.timeout);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts an example. It is killed when the test is over, if it still runs. */
function start(name: string, ...parameters: readonly string[]): RunningExample {
  return closed(startExample(folder, name, parameters));
}

/** Runs an example to its end. */
async function run(name: string, ...parameters: readonly string[]) {
  const running = start(name, ...parameters);
  const [code] = await running.exited;
  const { stdout, stderr } = running;
  return { code, stdout, stderr };
}

describe("the chat server", slow, () => {
  async function startServer() {
    const server = start("chat/server.js", "--port", "0");
    const [url] = await server.prints(/http:\S+/);
    const client = (user: string, ...parameters: readonly string[]) =>
      start("chat/client.js", "--url", url, "--user", user, ...parameters);
    const admin = (...parameters: readonly string[]) => run("chat/admin.js", ...parameters, "--url", url);
    return { server, url, client, admin };
  }

  /** A client that is inside. */
  async function inside(client: RunningExample): Promise<RunningExample> {
    await client.prints(/^connected to lobby/m);
    return client;
  }

  test("has its clients listed, and one of them kicked, by an admin", async () => {
    const { server, client, admin } = await startServer();
    const ann = await inside(client("ann", "--tag", "guest"));
    const bob = await inside(client("bob"));
    bob.type("hello");
    await ann.prints(/^ {2}bob: hello$/m);

    const list = await admin("list");
    const [header = "", ...rows] = list.stdout.trim().split("\n");
    const total = rows.pop();
    expect(total).toMatch(/^\d streams, 2 users$/);
    expect(header).toMatch(/^ID +USER +TAGS +METHOD +SESSION +PEER +FOR$/);
    const cell = (row: string, title: string) => row.slice(header.indexOf(title)).split("  ", 1)[0]?.trim();
    const chats = rows.filter((row) => cell(row, "METHOD") === "ChatService/Subscribe");
    expect(chats.map((row) => [cell(row, "USER"), cell(row, "TAGS"), cell(row, "PEER")])).toEqual([
      ["ann", "guest", "127.0.0.1"],
      ["bob", "-", "127.0.0.1"],
    ]);
    expect((await admin("list", "tag=guest")).stdout).toMatch(/ streams?, 1 user$/m);

    expect((await admin("kick", "ann", "--dry-run")).stdout).toMatch(/^would kick ann: \d streams?$/m);
    const { code, stdout } = await admin("kick", "ann", "--code", "afk", "--message", "Idle for 10 minutes");
    expect(stdout).toMatch(/^kicked ann: (\d) streams?, \1 told$/m);
    expect(code).toBe(0);
    await ann.prints(/^understood: kicked, code afk, "Idle for 10 minutes"$/m);
    expect(await ann.exited).toEqual([1, null]);
    expect(ann.stdout).not.toContain("waits");
    await bob.prints(/^ {2}ann was put out: kicked$/m);

    const chat = await admin("list");
    expect(chat.stdout).not.toMatch(/\bann\b/);
    expect(chat.stdout).toMatch(/ streams?, 1 user$/m);
    const log = server.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(log).toContainEqual(expect.objectContaining({ event: "verdict", reason: "kicked", code: "afk" }));
    expect(server.stderr).not.toMatch(/bearer|letmein/i);
  });

  test("explains even an abort, by its control stream", async () => {
    const { client, admin } = await startServer();
    const ann = await inside(client("ann"));
    await vi.waitFor(async () => expect((await admin("list")).stdout).toContain("ControlStreamService/Open"), patience);
    const { stdout } = await admin("kick", "ann", "--abort");
    expect(stdout).toMatch(/^kicked ann: 2 streams, 1 told, 1 forced$/m);
    await ann.prints(/^understood: kicked$/m);
    expect(await ann.exited).toEqual([1, null]);
  });

  test("keeps a banned user out until the ban is lifted", async () => {
    const { client, admin } = await startServer();
    const ann = await inside(client("ann"));
    const { stdout } = await admin("ban", "ann", "--minutes", "5", "--message", "Enough");
    expect(stdout).toMatch(/^banned ann until .+: (\d) streams?, \1 told$/m);
    await ann.prints(/^understood: banned, until .+, "Enough"$/m);
    expect(await ann.exited).toEqual([1, null]);

    const again = client("ann");
    expect(await again.exited).toEqual([1, null]);
    expect(again.stdout).toMatch(/^understood: banned, until .+, "Enough"\nover \(banned: Enough\)\n$/);

    expect((await admin("unban", "ann")).stdout).toBe("unbanned ann\n");
    expect((await admin("unban", "ann")).stdout).toBe("ann was not banned\n");
    await inside(client("ann"));
  });

  test("ends with those whose tokens are revoked", async () => {
    const { client, admin } = await startServer();
    const ann = await inside(client("ann"));
    expect((await admin("revoke", "ann")).stdout).toMatch(
      /^revoked the tokens of ann before epoch 1: (\d) streams?, \1 told$/m,
    );
    await ann.prints(/^understood: unauthenticated, "the credentials were revoked"$/m);
    expect(await ann.exited).toEqual([1, null]);
  });

  test("sends all away with a time to come back when an admin drains it, and ends", async () => {
    const { server, client, admin } = await startServer();
    const clients = [await inside(client("ann")), await inside(client("bob"))];
    const drain = await admin("drain", "--over", "1", "--back-after", "300", "--message", "Deploying");
    const lines = drain.stdout.trim().split("\n");
    expect(lines[0]).toMatch(/^(\d) of \1 inside: 0 streams$/);
    expect(lines.at(-1)).toMatch(/^drained: (\d) streams, \1 told$/);
    expect(drain.code).toBe(0);
    expect(await server.exited).toEqual([0, null]);
    for (const { prints } of clients) {
      await prints(/^understood: maintenance, come back at .+, "Deploying"$/m);
      await prints(/^waits \d+\.\d s \(maintenance: reserved in \d/m);
    }
  });

  test("does the same on SIGTERM", async () => {
    const { server, client } = await startServer();
    const ann = await inside(client("ann"));
    server.kill("SIGTERM");
    expect(await server.exited).toEqual([0, null]);
    await ann.prints(/^understood: maintenance, come back at .+, "Deploying"$/m);
    ann.kill("SIGTERM");
    expect(await ann.exited).toEqual([0, null]);
  });

  test("refuses what an admin may not, or cannot do, and says why", async () => {
    const { admin } = await startServer();
    expect(await admin("list", "--token", "guess")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "refused: not authorized (PermissionDenied)\n",
    });
    const past = await admin("ban", "ann", "--minutes", "0");
    expect(past.stderr).toMatch(/^refused: until: expected a Date in the future, got \S+ \(InvalidArgument\)\n$/);
    expect(past.code).toBe(1);
  });

  test("tells an admin that it is being drained already", async () => {
    const { url, client, admin } = await startServer();
    await inside(client("ann"));
    await inside(client("bob"));
    const drain = start("chat/admin.js", "drain", "--over", "3600", "--url", url);
    await drain.prints(/inside/);
    const second = await admin("drain");
    expect(second.stderr).toContain("already under way");
    expect(second.code).toBe(1);
  });
});

describe("the admin command line", slow, () => {
  const misused: readonly (readonly [parameters: readonly string[], complaint: string])[] = [
    [[], "a command is missing"],
    [["evict"], "evict: no such command"],
    [["toString"], "toString: no such command"],
    [["kick"], "kick: a user is missing"],
    [["kick", "ann", "bob"], 'kick: unexpected "bob"'],
    [["drain", "now"], 'drain: unexpected "now"'],
    [["kick", "ann", "--over", "3"], "kick: knows no --over"],
    [["list", "room=lobby"], 'list: expected all, or user=…, tag=…, session=…, stream=…, got "room=lobby"'],
    [["ban", "ann", "--minutes", "x"], '--minutes: expected a number from 0 to 1000000, got "x"'],
    [["drain", "--over", "-1"], "Option '--over' argument is ambiguous."],
    [["list", "--url", "here"], '--url: expected a URL, got "here"'],
    [["list", "--verbose"], "Unknown option '--verbose'."],
  ];
  test.each(someOf(misused))("refuses %j, and tells how it is used", async (parameters, complaint) => {
    const { code, stdout, stderr } = await run("chat/admin.js", ...parameters);
    expect(stderr.startsWith(complaint)).toBe(true);
    expect(stderr).toContain("Usage: admin <command>");
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test("tells that there is no server", async () => {
    const { code, stderr } = await run("chat/admin.js", "list", "--url", "http://127.0.0.1:9");
    expect(stderr).toBe("not reached: connect ECONNREFUSED 127.0.0.1:9 (Unavailable)\n");
    expect(code).toBe(1);
  });
});

test("the JWT sessions survive a refresh, and end with a revocation until a new login", slow, async () => {
  const { code, stdout, stderr } = await run("jwt/main.js");
  expect(stderr).toBe("");
  expect(stdout.match(/^✓ .+$/gm)).toHaveLength(7);
  expect(stdout).toMatch(/welcome back\n$/);
  expect(code).toBe(0);
});

test.each(["fastify", "express"])("the bouncer on %s kicks a client, which understands", slow, async (name) => {
  const { code, stdout, stderr } = await run(`mounts/${name}.js`);
  expect(stderr).toBe("");
  expect(stdout.trim().split("\n")).toEqual([
    "welcome to the lobby",
    "kicked ann: 1 stream, 1 told",
    'understood: kicked, code afk, "Idle for 10 minutes"',
    "decided: end the session (kicked: Idle for 10 minutes)",
  ]);
  expect(code).toBe(0);
});

test("the metrics tell of a client that was kicked, and of one that was refused", slow, async () => {
  const { code, stdout, stderr } = await run("metrics/main.js");
  expect(stderr).toBe("");
  const lines = stdout.split("\n");
  for (const line of [
    'farewell_inside{kind="streams"} 0',
    "farewell_draining 0",
    "farewell_drain_inside 0",
    "farewell_admitted_total 1",
    'farewell_verdicts_total{reason="kicked"} 1',
    'farewell_verdicts_total{reason="banned"} 1',
    'farewell_refusals_total{reason="kicked"} 0',
    'farewell_refusals_total{reason="banned"} 1',
    'farewell_endings_total{ending="told"} 1',
    'farewell_endings_total{ending="forced"} 0',
    'farewell_eviction_seconds_count{reason="kicked"} 1',
  ]) {
    expect(lines).toContain(line);
  }
  expect(code).toBe(0);
});
