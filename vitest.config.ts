import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  // The examples import the package by its name; tests run against its source.
  resolve: {
    alias: [
      { find: "#check", replacement: source("check/index.ts") },
      { find: "#transport-errors", replacement: source("disconnect/node-errors.ts") },
      { find: "#connection", replacement: source("session/connection.ts") },
      { find: /^farewell$/, replacement: source("index.ts") },
      { find: /^farewell\/([\w-]+)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}", "examples/**/*.test.ts"],
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], spawnTimeout: 60_000 },
    // One process per file: a test that leaves a socket, timer or rejection behind cannot spoil another file.
    pool: "forks",
    maxWorkers: "100%", // by default one core stays idle, which on two is half the time
    // Nets, for a busy machine: what a test waits for comes sooner, and what must not come is not waited for.
    testTimeout: process.env.FAREWELL_RUNS === "all" ? 600_000 : 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
  },
});
