import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promised } from "./promised.mjs";

/** No verdict depends on speed: whoever has not answered by then stands still. */
const answerWithinMs = 240_000;

/** All that were started and have not ended. */
const alive = new Set();

/** Ends what is left, whatever state it is in. */
export function endAll() {
  for (const child of alive) child.kill("SIGKILL");
}

/** Starts a program of the soak. `told` gets its notes and violations. Resolves with its first message. */
export async function start(program, config, told) {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), [JSON.stringify(config)], {
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  alive.add(child);
  const waiting = new Map();
  let orders = 0;
  const exited = once(child, "exit").then(([code, signal]) => {
    alive.delete(child);
    for (const { reject } of waiting.values()) reject(new Gone(`it has ended: ${signal ?? code}`));
    waiting.clear();
    return { code, signal };
  });
  const ready = promised();
  exited.then(({ code, signal }) => ready.reject(new Gone(`${program} ended before it was ready: ${signal ?? code}`)));
  ready.promise.catch(() => {});
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => told({ output: text.trimEnd() }));
  }
  child.on("message", (message) => {
    if (message.ready) ready.resolve(message.ready);
    else if (message.id === undefined) told(message);
    else {
      const { resolve, reject } = waiting.get(message.id) ?? {};
      waiting.delete(message.id);
      if (message.error) reject?.(new Error(message.error));
      else resolve?.(message.answer);
    }
  });
  return {
    ...(await ready.promise),
    exited,
    /** Has it do something. Rejects with `Gone` where it ends before it answers, and fails where it never does. */
    ask(order, args = {}) {
      const { promise, resolve, reject } = promised();
      const late = setTimeout(
        () => reject(new Error(`${program} has not answered to "${order}" in ${answerWithinMs} ms`)),
        answerWithinMs,
      );
      promise.catch(() => {}).finally(() => clearTimeout(late));
      if (!child.connected) reject(new Gone("it has ended"));
      else {
        const id = orders++;
        waiting.set(id, { resolve, reject });
        child.send({ id, order, args }, (error) => error && reject(new Gone(error.message)));
      }
      return promise;
    },
    kill: (signal) => void child.kill(signal),
    disconnect: () => child.connected && child.disconnect(),
    /** Stands still for so long. A shell sees to it that it goes on, also if this process ends meanwhile. */
    async stop(ms) {
      const script = `kill -STOP ${child.pid}; sleep ${ms / 1_000}; kill -CONT ${child.pid}`;
      await once(spawn("sh", ["-c", script], { stdio: "ignore", detached: true }), "exit");
    },
  };
}

export class Gone extends Error {}
