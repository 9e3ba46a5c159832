import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"] },
    // One process per file: a test that leaves a socket, timer or rejection behind cannot spoil another file.
    pool: "forks",
    testTimeout: 20_000,
  },
});
