import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { answerOf } from "./child.mjs";

const program = fileURLToPath(new URL("bouncer-server.mjs", import.meta.url));

/** Starts bouncer-server.mjs in a process of its own; resolves when it listens. */
export async function startBouncer() {
  const child = fork(program, { execArgv: [] });
  const [{ ports }] = await answerOf(child);
  const waiting = new Map();
  child.on("message", ({ id, answer }) => {
    waiting.get(id)(answer);
    waiting.delete(id);
  });
  let orders = 0;
  return {
    /** Where one of its houses answers; `http`: 1 or 2. */
    portOf: (house, http = 2) => ports[house][http],
    urlOf: (house, http = 2) => `http://127.0.0.1:${ports[house][http]}`,
    /** Has the server do something, and resolves with its answer. */
    ask(order, args = {}) {
      const id = orders++;
      const answered = new Promise((resolve) => waiting.set(id, resolve));
      child.send({ id, order, ...args });
      return answered;
    },
    async kill() {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}
