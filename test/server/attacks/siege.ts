import { spawn } from "node:child_process";
import { once } from "node:events";
import { programOf } from "../../wire/program.js";
import type { HttpVersion } from "../../wire/script.js";
import type { Answered, Order, Orders, Ready, SiegeOptions } from "./orders.js";

/** A server in a process of its own, to be attacked. */
export interface Siege {
  readonly httpVersion: HttpVersion;
  readonly tls: boolean;
  readonly port: number;
  readonly url: string;
  /** False once the process has ended. */
  readonly alive: boolean;
  ask<O extends Order>(order: O, ...args: Parameters<Orders[O]>): Promise<Awaited<ReturnType<Orders[O]>>>;
  close(): Promise<void>;
}

/** Starts it on 127.0.0.1; resolves when it accepts connections. */
export async function besiege(options: SiegeOptions): Promise<Siege> {
  // From stdin, so that its imports are found from the root without a file being written.
  const child = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-", JSON.stringify(options)], {
    stdio: ["pipe", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  let alive = true;
  exited.then(() => {
    alive = false;
  });
  child.stdin?.end(programOf(new URL("besieged-server.ts", import.meta.url)));
  const [ready] = (await Promise.race([once(child, "message"), exited])) as [Ready];
  if (ready?.port === undefined) throw new Error(`the server did not start: ${ready}`);
  const waiting = new Map<number, (answer: unknown) => void>();
  child.on("message", ({ id, answer }: Answered) => {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  let asked = 0;
  const tls = options.gate.endsWith("tls");
  return {
    httpVersion: options.gate.includes("h2") ? "2" : "1.1",
    tls,
    port: ready.port,
    url: `${tls ? "https" : "http"}://127.0.0.1:${ready.port}`,
    get alive() {
      return alive;
    },
    ask(order, ...args) {
      const id = asked++;
      const answered = new Promise((resolve) => waiting.set(id, resolve));
      child.send({ id, order, args });
      return answered as Promise<Awaited<ReturnType<Orders[typeof order]>>>;
    },
    async close() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
