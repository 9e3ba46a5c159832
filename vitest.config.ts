import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The examples import the package by its name; tests run against its source.
  resolve: {
    alias: [
      { find: "#check", replacement: fileURLToPath(new URL("src/check/index.ts", import.meta.url)) },
      { find: /^farewell$/, replacement: fileURLToPath(new URL("src/index.ts", import.meta.url)) },
      { find: /^farewell\/([\w-]+)$/, replacement: fileURLToPath(new URL("src/$1/index.ts", import.meta.url)) },
    ],
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}", "examples/**/*.test.ts"],
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"] },
    // One process per file: a test that leaves a socket, timer or rejection behind cannot spoil another file.
    pool: "forks",
    maxWorkers: "100%", // by default one core stays idle, which on two is half the time
    testTimeout: 20_000,
  },
});
