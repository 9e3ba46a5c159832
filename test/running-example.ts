import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, vi } from "vitest";
import { patience } from "./wire/leave-nothing.js";

/** A process of an example, and all that it has printed. */
export interface RunningExample {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code and the signal. */
  readonly exited: Promise<readonly [number | null, NodeJS.Signals | null]>;
  /** Resolves when it has printed this, on stdout. */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
  type(text: string): void;
  kill(signal: NodeJS.Signals): void;
  /** Kills it, if it still runs. */
  close(): Promise<void>;
}

/** Starts an example that was built in a folder. */
export function startExample(folder: string, name: string, parameters: readonly string[]): RunningExample {
  const child = spawn(process.execPath, [`examples/dist/${name}`, ...parameters], { cwd: folder });
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      printed[stream] += text;
    });
  }
  const exited = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  return {
    get stdout() {
      return printed.stdout;
    },
    get stderr() {
      return printed.stderr;
    },
    exited,
    prints: (pattern) =>
      vi.waitFor(() => {
        expect(printed.stdout).toMatch(pattern);
        return pattern.exec(printed.stdout) as RegExpExecArray;
      }, patience),
    type: (text) => void child.stdin.write(`${text}\n`),
    kill: (signal) => void child.kill(signal),
    async close() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
