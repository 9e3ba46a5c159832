import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { programOf } from "./program.js";
import type { HttpVersion } from "./script.js";

export interface ChildOptions {
  readonly httpVersion: HttpVersion;
  /** Time between two messages of a subscription. @default 20 */
  readonly intervalMs?: number;
  /** Where to listen. @default a free port */
  readonly port?: number;
}

/** A chat server in a process of its own. Its subscriptions send the ids after `after_id`, without end. */
export interface Child {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** Signals the process. After SIGSTOP it says nothing, its connections stay up; SIGCONT wakes it. */
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
  /** Kills the process, stopped or not; resolves when it is gone. */
  close(): Promise<void>;
}

/** What the process reports once it accepts connections. */
export interface Listening {
  readonly port: number;
}

/** Starts a server on 127.0.0.1; resolves when it accepts connections. */
export async function startChild({ httpVersion, intervalMs = 20, port = 0 }: ChildOptions): Promise<Child> {
  const options = JSON.stringify({ httpVersion, intervalMs, port } satisfies Required<ChildOptions>);
  // From stdin and with the root as its directory, so that its imports are found without a file being written.
  const child = spawn(process.execPath, ["--input-type=module", "-", options], {
    cwd: root,
    stdio: ["pipe", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  child.stdin?.end(programOf(new URL("child-server.ts", import.meta.url)));
  const [first] = await Promise.race([once(child, "message"), exited]);
  if (child.pid === undefined || !isListening(first)) throw new Error(`the child server did not start: ${first}`);
  return {
    pid: child.pid,
    port: first.port,
    url: `http://127.0.0.1:${first.port}`,
    kill: (signal) => {
      child.kill(signal);
    },
    close: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

const root = fileURLToPath(new URL("../..", import.meta.url));

function isListening(message: unknown): message is Listening {
  return typeof message === "object" && message !== null && "port" in message && typeof message.port === "number";
}
