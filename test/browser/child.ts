import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import type { Call, ServerOptions } from "./server.js";

/** A server in a process of its own. */
export interface Child {
  readonly url: string;
  readonly port: number;
  /** Every call that reached it so far. */
  calls(): Promise<readonly Call[]>;
  /** Kills the process without a warning; resolves when it is gone. */
  close(): Promise<void>;
}

/** What the process is told, and answers to. */
export type Order = { readonly start: ServerOptions } | "calls";

/** What the process answers. */
export type Answer = { readonly url: string; readonly port: number } | { readonly calls: readonly Call[] };

/** Starts a server; resolves when it accepts connections. */
export async function startChild(options: ServerOptions): Promise<Child> {
  const child = spawn(process.execPath, ["--input-type=commonjs", "-"], {
    stdio: ["pipe", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  const ask = async (order: Order): Promise<Answer> => {
    const answered = once(child, "message");
    child.send(order);
    const [answer] = await Promise.race([answered, exited]);
    if (typeof answer !== "object" || answer === null) throw new Error(`the child server has exited: ${answer}`);
    return answer;
  };
  child.stdin?.end(program());
  const listening = await ask({ start: options });
  if (!("port" in listening)) throw new Error(`the child server did not start: ${listening}`);
  return {
    ...listening,
    async calls() {
      const answer = await ask("calls");
      return "calls" in answer ? answer.calls : [];
    },
    async close() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

let text: string | undefined;

/** child-server.ts with all that it imports, as JavaScript on stdin: Node 20 runs no TypeScript, and no file is written. */
function program(): string {
  text ??= buildSync({
    entryPoints: [fileURLToPath(new URL("child-server.ts", import.meta.url))],
    bundle: true,
    format: "cjs",
    platform: "node",
    write: false,
  }).outputFiles[0]?.text;
  return text ?? "";
}
