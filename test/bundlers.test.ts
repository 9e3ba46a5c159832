import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as esbuild from "esbuild";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import webpack from "webpack";

// What the conditions in package.json's "imports" make of an app that has installed the package: a browser's production
// bundle has no checks, everything else has them.

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

/** Of each kind of check a message, and one that `parsePolicies` has: what the app does not use is in no bundle. */
const messages = {
  client: "a generated service",
  session: "such as createConnectTransport({ baseUrl })",
  policies: "nothing reconnects by default here",
  methods: "a function that opens the new stream",
};

/** webpack takes seconds for what the others do in a tenth of one, and more on a busy machine. */
const patienceMs = 120_000;

let folder: string;

/** An app beside the package as it is published: built, with its dependencies. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "farewell-bundlers-"));
  const installed = join(folder, "node_modules/farewell");
  await mkdir(installed, { recursive: true });
  await cp(join(root, "package.json"), join(installed, "package.json"));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", join(installed, "dist")]);
  for (const name of ["@bufbuild", "@connectrpc", "eventemitter3", "is-network-error", "p-retry"]) {
    await symlink(join(root, "node_modules", name), join(folder, "node_modules", name), "junction");
  }
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const names = "createClient, createSession, method";
  await writeFile(join(folder, "app.js"), appWith(names));
  await writeFile(join(folder, "retrying.js"), appWith(`${names}, retried`));
}, patienceMs);

afterAll(() => rm(folder, { recursive: true, force: true }));

function appWith(names: string): string {
  return `import { ${names} } from "farewell"; globalThis.app = { ${names} };`;
}

test("the built file of the hooks begins with the directive that Next.js looks for in a server component's imports", async () => {
  const built = await readFile(join(folder, "node_modules/farewell/dist/react/index.js"), "utf8");
  expect(built.split("\n", 1)).toEqual(['"use client";']);
  expect(built).not.toContain("export *"); // which Next.js refuses behind the directive
});

/** What p-retry says, in all versions that we allow. */
const wordsOfRetry = "option is no longer supported";

type Mode = "production" | "development";
type Bundle = (mode: Mode, on: "browser" | "node") => Promise<string>;

const withEsbuild: Bundle = async (mode, on) => {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: folder,
    entryPoints: ["app.js"],
    bundle: true,
    minify: mode === "production",
    format: "esm",
    platform: on,
    conditions: [mode],
    write: false,
  });
  return outputFiles.map(({ text }) => text).join("");
};

const withVite: Bundle = async (mode, on) => {
  const outDir = join(folder, `vite-${mode}-${on}`);
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = mode; // Vite goes by it, and Vitest has set it
  try {
    await vite({
      configFile: false,
      logLevel: "silent",
      root: folder,
      mode,
      ssr: { noExternal: true },
      build: {
        outDir,
        ssr: on === "node" && "app.js",
        rolldownOptions: { input: join(folder, "app.js"), output: { entryFileNames: "out.js" } },
      },
    });
  } finally {
    process.env.NODE_ENV = before;
  }
  return readFile(join(outDir, "out.js"), "utf8");
};

const withWebpack: Bundle = async (mode, on) => {
  const path = join(folder, `webpack-${mode}-${on}`);
  await new Promise<void>((resolve, reject) => {
    webpack(
      {
        mode,
        context: folder,
        entry: "./app.js",
        devtool: false,
        target: on === "node" ? "node" : "web",
        output: { path, filename: "out.cjs" },
        optimization: { minimize: false }, // for the time it takes
        performance: false,
      },
      (error, stats) => {
        const failed = error ?? (stats?.hasErrors() ? new Error(stats.toString()) : undefined);
        failed ? reject(failed) : resolve();
      },
    );
  });
  return readFile(join(path, "out.cjs"), "utf8");
};

describe.each([
  ["esbuild", withEsbuild],
  ["Vite", withVite],
  ["webpack", withWebpack],
])("with %s", { timeout: patienceMs }, (_, bundle) => {
  test("a browser's production bundle has no check's message, and nothing of Node's errors", async () => {
    const code = await bundle("production", "browser");
    expect(code).not.toContain("SELF_SIGNED");
    expect(code).toContain("gave up after"); // it is our package that was bundled
    for (const message of Object.values(messages)) expect(code).not.toContain(message);
    expect(code).not.toContain(wordsOfRetry); // it comes with retried(…) alone
  });

  test("a development bundle has them", async () => {
    const code = await bundle("development", "browser");
    for (const message of Object.values(messages)) expect(code).toContain(message);
  });

  test("a production bundle for Node has both", async () => {
    const code = await bundle("production", "node");
    expect(code).toContain("SELF_SIGNED");
    for (const message of Object.values(messages)) expect(code).toContain(message);
  });
});

test("an app that lets calls be retried carries p-retry, and no other does", async () => {
  const bundled = async (entry: string) => {
    const options = { absWorkingDir: folder, bundle: true, minify: true, format: "esm", write: false } as const;
    const { outputFiles } = await esbuild.build({ ...options, entryPoints: [entry], conditions: ["production"] });
    return outputFiles.map(({ text }) => text).join("");
  };
  expect(await bundled("retrying.js")).toContain(wordsOfRetry);
  expect(await bundled("app.js")).not.toContain(wordsOfRetry);
});

describe("in Node", () => {
  test.each([
    ["as it is", []],
    ["with --conditions=production", ["--conditions=production"]],
  ])("%s, the checks are there, also under NODE_ENV=production", async (_, flags) => {
    const code = `import("farewell").then(({ createSession }) => createSession({})).catch(({ message }) => console.log(message))`;
    const env = { ...process.env, NODE_ENV: "production" };
    const { stdout } = await run(process.execPath, [...flags, "-e", code], { cwd: folder, env });
    expect(stdout).toContain("transport: expected a Transport, such as createConnectTransport({ baseUrl }), got {}");
  });
});
