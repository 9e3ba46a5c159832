import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** What reached the server. */
export interface Traffic {
  readonly connections: number;
  readonly calls: number;
}

/** What the server's process tells the demo's. */
export type Report =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "log"; readonly at: number; readonly text: string }
  | { readonly type: "traffic"; readonly traffic: Traffic };

/** A server that can be killed and started again, at the same address. */
export interface ServerProcess {
  readonly url: string;
  /** Resolves when it accepts connections. */
  start(): Promise<void>;
  /** SIGKILL: no goodbye, no cleaning up. Resolves when it is gone. */
  kill(): Promise<void>;
  /** What reached it since it was started. */
  traffic(): Promise<Traffic>;
}

export function createServerProcess(log: (text: string, at: number) => void): ServerProcess {
  const since = Date.now();
  let port = 0; // any that is free; from then on the same
  let child: ChildProcess | undefined;

  /** The next report of a type. */
  function report<T extends Report["type"]>(from: ChildProcess, type: T): Promise<Extract<Report, { type: T }>> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        from.off("message", hear);
        from.off("exit", gone);
      };
      const hear = (message: unknown) => {
        if ((message as Report).type !== type) return;
        settle();
        resolve(message as Extract<Report, { type: T }>);
      };
      const gone = () => {
        settle();
        reject(new Error(`the server is gone; it never told its ${type}`));
      };
      from.on("message", hear);
      from.on("exit", gone);
    });
  }

  process.on("exit", () => child?.kill("SIGKILL"));

  return {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    async start() {
      const started = fork(new URL("server.js", import.meta.url), [JSON.stringify({ port, since })]);
      child = started;
      started.on("message", (message) => {
        const told = message as Report;
        if (told.type === "log") log(told.text, told.at);
      });
      port = (await report(started, "listening")).port;
    },
    async kill() {
      if (!child) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      child = undefined;
    },
    async traffic() {
      if (!child) throw new Error("the server is not running");
      const told = report(child, "traffic");
      child.send("traffic");
      return (await told).traffic;
    },
  };
}
