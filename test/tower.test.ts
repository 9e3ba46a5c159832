import { execFile } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("imports that run down pass", async () => {
  const { passed, told } = await check({
    "src/ports/clock.ts": "export const now = 0;",
    "src/policy/policy.ts":
      'import { now } from "../ports/clock.js"; import pRetry from "p-retry"; export { now, pRetry };',
    "src/browser/index.ts": 'export * from "../session/extension.js";',
    "src/session/extension.ts": "export interface Extension {}",
    "src/testing/index.ts": 'export * from "../machine/queue.js"; export * from "../server/store/login.js";',
    "src/machine/queue.ts": "export {};",
    "src/server/store/login.ts": "export {};",
  });
  expect(told).toEqual(["7 files, 4 imports, 0 against the tower."]);
  expect(passed).toBe(true);
});

test("a circle of files is refused, also of types alone and within one room, and told once", async () => {
  const { passed, told } = await check({
    "src/machine/state.ts": 'import type { Event } from "./events.js"; export type State = Event;',
    "src/machine/events.ts": 'import type { Pause } from "./pause.js"; export type Event = Pause;',
    "src/machine/pause.ts": 'export type Pause = import("./state.js").State;',
  });
  expect(told).toEqual([
    "Circles (1)",
    "src/machine/events.ts comes back to itself: src/machine/events.ts → src/machine/pause.ts → src/machine/state.ts → src/machine/events.ts",
    "3 files, 3 imports, 1 against the tower.",
  ]);
  expect(passed).toBe(false);
});

test.each([
  ["an import", 'import { session } from "../session/session.js"; session;'],
  ["an import of a type", 'import type { session } from "../session/session.js"; export type S = typeof session;'],
  ["a type's import", 'export type S = typeof import("../session/session.js");'],
  ["an export from", 'export { session } from "../session/session.js";'],
  ["an export of all", 'export * from "../session/session.js";'],
  ["an import by need", 'export const load = () => import("../session/session.js");'],
  ["an import by an own name", 'import "farewell/session";'],
  ["an import by a private name, whatever the condition", 'import "#session";'],
])("an arrow back up is refused: %s", async (_, text) => {
  const { passed, told } = await check({
    "src/session/session.ts": "export const session = 0;",
    "src/session/production.ts": "",
    "src/policy/policy.ts": `// Why.\n${text}`,
    "package.json": JSON.stringify({
      name: "farewell",
      exports: { "./session": { types: "./dist/session/session.d.ts", default: "./dist/session/session.js" } },
      imports: { "#session": { production: "./dist/session/session.js", default: "./dist/session/session.js" } },
    }),
  });
  expect(told).toContain("src/policy/policy.ts:2 runs back up: policy → session (src/session/session.ts)");
  expect(passed).toBe(false);
});

test("inside the server, too, arrows run down", async () => {
  const { passed, told } = await check({
    "src/server/store/store.ts": 'export * from "../services/admin.js";',
    "src/server/services/admin.ts": 'export * from "../who/selector.js";',
    "src/server/who/selector.ts": "export {};",
  });
  expect(told).toContain(
    "src/server/store/store.ts:1 runs back up: server/store → server/services (src/server/services/admin.ts)",
  );
  expect(told).toHaveLength(3);
  expect(passed).toBe(false);
});

test("rooms beside each other do not know each other", async () => {
  const { told } = await check({
    "src/browser/index.ts": 'export * from "../control-stream/index.js";',
    "src/control-stream/index.ts": "export {};",
  });
  expect(told).toContain(
    "src/browser/index.ts:1 runs to a room beside: browser → control-stream (src/control-stream/index.ts)",
  );
});

test("a room that is to know a few others knows no more than those", async () => {
  const { told } = await check({
    "src/react/index.ts": 'export * from "../machine/step.js"; export * from "../session/session.js";',
    "src/browser/index.ts": 'export * from "../session/session.js"; export * from "../session/extension.js";',
    "src/machine/step.ts": "export {};",
    "src/session/session.ts": "export {};",
    "src/session/extension.ts": "export {};",
  });
  expect(told).toEqual([
    "Arrows that do not run down (2)",
    "src/browser/index.ts:1 is not its to know: browser → session (src/session/session.ts)",
    "src/react/index.ts:1 is not its to know: react → machine (src/machine/step.ts)",
    "5 files, 4 imports, 2 against the tower.",
  ]);
});

test("what a room keeps to itself is imported by that room alone", async () => {
  const { passed, told } = await check({
    "src/machine/queue.ts": "export {};",
    "src/machine/step.ts": 'export * from "./queue.js";',
    "src/session/driver.ts": 'export * from "../machine/step.js";\nexport * from "../machine/queue.js";',
  });
  expect(told).toContain("src/session/driver.ts:2 goes past the face of machine: src/machine/queue.ts");
  expect(told).toHaveLength(3);
  expect(passed).toBe(false);
});

test("a file must be in a room", async () => {
  const { told } = await check({ "src/utils.ts": "", "src/server/helpers/misc.ts": "" });
  expect(told).toContain("src/utils.ts is in no room of scripts/tower/plan.mjs");
  expect(told).toContain("src/server/helpers/misc.ts is in no room of scripts/tower/plan.mjs");
});

test("a report tells the same, and lets pass", async () => {
  const { passed, told } = await check({ "src/utils.ts": "" }, "--report");
  expect(told).toContain("Files without a room (1)");
  expect(passed).toBe(true);
});

test("src/ stands, and an arrow up that is planted there is found, with the circle that it makes", async () => {
  const tree = temporary();
  cpSync(join(root, "src"), join(tree, "src"), { recursive: true });
  cpSync(join(root, "package.json"), join(tree, "package.json"));
  const before = await run(tree);
  expect(before.told).toEqual([expect.stringMatching(/^\d+ files, \d+ imports, 0 against the tower\.$/)]);
  expect(before.passed).toBe(true);
  appendFileSync(join(tree, "src/ports/clock.ts"), 'export type Client = typeof import("../client.js");\n');
  const { told, passed } = await run(tree);
  expect(told.filter((line) => line.startsWith("Circles"))).toEqual(["Circles (1)"]);
  expect(told).toContainEqual(
    expect.stringMatching(/^src\/ports\/clock\.ts:\d+ runs back up: ports → client \(src\/client\.ts\)$/),
  );
  expect(passed).toBe(false);
});

function check(files: Record<string, string>, ...flags: string[]) {
  const tree = temporary();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  return run(tree, ...flags);
}

function temporary() {
  const tree = mkdtempSync(join(tmpdir(), "farewell-tower-"));
  onTestFinished(() => rmSync(tree, { recursive: true, force: true }));
  return tree;
}

function run(tree: string, ...flags: string[]) {
  return new Promise<{ passed: boolean; told: string[] }>((resolve, reject) => {
    const script = join(root, "scripts/tower/check.mjs");
    execFile(process.execPath, [script, ...flags, tree], (error, stdout, stderr) => {
      if (stderr !== "") reject(new Error(stderr));
      else
        resolve({
          passed: error === null,
          told: stdout
            .trimEnd()
            .split("\n")
            .map((line) => line.trim()),
        });
    });
  });
}
