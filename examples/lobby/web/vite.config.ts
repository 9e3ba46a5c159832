import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// It is for frameworks that render on a server.
const harmless = /"use client"/;

export default defineConfig({
  root: here("."),
  build: {
    outDir: here("../../dist/lobby/web"),
    emptyOutDir: true,
    rolldownOptions: {
      input: [here("index.html"), here("admin/index.html")],
      onLog(level, log, report) {
        if (!harmless.test(log.message)) report(level, log);
      },
    },
  },
});
