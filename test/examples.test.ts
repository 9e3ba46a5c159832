import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { someOf } from "./runs.js";

// The examples as a reader runs them: compiled, against the built package, each in a process of its own.

const root = fileURLToPath(new URL("..", import.meta.url));
const slow = { timeout: 300_000 };

beforeAll(() => {
  const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
  for (const project of ["tsconfig.build.json", "tsconfig.server.json", "examples"]) {
    execFileSync(process.execPath, [tsc, "-p", project], { cwd: root, stdio: "inherit" });
  }
}, slow.timeout);

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs an example to its end. */
async function run(name: string, ...parameters: string[]): Promise<Run> {
  const started = promisify(execFile)(process.execPath, [`examples/dist/${name}`, ...parameters], { cwd: root });
  try {
    return { code: 0, ...(await started) };
  } catch (error) {
    return error as Run;
  }
}

describe("the demo", () => {
  test.concurrent.each(someOf(["connect", "grpc", "grpc-web"]))(
    "understands every scene over %s",
    slow,
    async (protocol) => {
      const { code, stdout, stderr } = await run("demo/main.js", "--protocol", protocol);
      expect(stderr).toBe("");
      expect(stdout).toContain(`${protocol} over HTTP/2`);
      expect(stdout).not.toContain("✗");
      expect(stdout).not.toContain("\u001b["); // no colours where nobody looks
      expect(understood(stdout)).toEqual([
        "kicked",
        "aborted, kicked",
        "banned",
        "superseded",
        "maintenance",
        "throttled",
        "unauthenticated",
        "network",
        "network",
      ]);
      expect(stdout).toContain("all 9 as they should be");
      expect(code).toBe(0);
    },
  );

  test("refuses a protocol that it does not know", async () => {
    const { code, stderr } = await run("demo/main.js", "--protocol", "soap");
    expect(stderr.trim()).toBe('--protocol: expected one of connect, grpc, grpc-web, got "soap"');
    expect(code).toBe(2);
  });

  test("takes its server with it on Ctrl-C", slow, async () => {
    const demo = spawn(process.execPath, ["examples/dist/demo/main.js"], { cwd: root });
    const exited = once(demo, "exit");
    const lines = createInterface(demo.stdout)[Symbol.asyncIterator]();
    let url: string | undefined;
    while (url === undefined) url = /http:\S+:\d+/.exec((await lines.next()).value ?? "")?.[0];
    demo.kill("SIGINT");
    expect(await exited).toEqual([130, null]);
    await expect.poll(() => fetch(url).catch((error) => error.cause.code)).toBe("ECONNREFUSED");
  });
});

/** The second column of the demo's last table. */
function understood(stdout: string): readonly string[] {
  const [, table = ""] = stdout.split("understood as");
  return table.split("\n").flatMap((line) => /^ {2}\d {2}.+? {2,}(\S+(?:, \S+)*) {2}/.exec(line)?.[1] ?? []);
}

test("the quick start reads every message once, across two losses, and says why it was put out", slow, async () => {
  const { code, stdout, stderr } = await run("quick-start.js");
  expect(stderr).toBe("");
  const lines = stdout.trim().split("\n");
  const messages = Array.from({ length: 12 }, (_, index) => `message ${index + 1}`);
  expect(lines.filter((line) => line.startsWith("message"))).toEqual(messages);
  expect(lines.filter((line) => /^Back in \d+ ms: aborted: backoff [^,]+, [12] in a row/.test(line))).toHaveLength(2);
  expect(lines.at(-1)).toBe("You were put out: Idle for 10 minutes");
  expect(code).toBe(0);
});

describe("the policy file", () => {
  test("is taken if it is a good one", async () => {
    const { code, stdout } = await run("policy-file/main.js", "examples/policy-file/policies.json");
    expect(stdout.trim()).toBe("examples/policy-file/policies.json is fine; the session is idle");
    expect(code).toBe(0);
  });

  test("is refused with the field, the value and what was expected", async () => {
    const { code, stderr } = await run("policy-file/main.js", "examples/policy-file/bad-policies.json");
    expect(stderr.trim()).toBe(
      "examples/policy-file/bad-policies.json: " +
        'policies.network.initialMs: expected a number of at least 1, got "500"',
    );
    expect(code).toBe(1);
  });
});

test("the worker reads on across losses and silence, and stops cleanly on SIGTERM", slow, async () => {
  const worker = spawn(process.execPath, ["examples/dist/worker/main.js"], { cwd: root });
  const exited = once(worker, "exit");
  const events: { readonly event: string; readonly id: number; readonly source: string; readonly afterId: number }[] =
    [];
  for await (const line of createInterface(worker.stdout)) {
    const told = JSON.parse(line);
    events.push(told);
    if (told.id === 25) worker.kill("SIGTERM");
  }
  expect(await exited).toEqual([0, null]);
  const ids = events.filter(({ event }) => event === "message").map(({ id }) => id);
  expect(ids).toEqual(Array.from(ids, (_, index) => index + 1));
  const losses = events.filter(({ event }) => event === "lost").map(({ source }) => source);
  expect(losses.filter((source) => source !== "liveness")).toEqual(["status", "status"]);
  expect(losses).toContain("liveness"); // on a slow machine, silence may be longer than it should be once more
  expect(events.at(-1)).toMatchObject({ event: "stopped", afterId: ids.length });
});
