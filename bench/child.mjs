import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("server.mjs", import.meta.url));

/** The first message of a child process. Throws if it exits without one. */
export async function answerOf(child) {
  const exited = once(child, "exit").then(([code]) => {
    throw new Error(`a child process exited with code ${code}`);
  });
  return await Promise.race([once(child, "message"), exited]);
}

/** Starts server.mjs in a process of its own; resolves when it listens. `port`: where, else anywhere. */
export async function startServer(port = 0) {
  const child = fork(program, [String(port)], { execArgv: [] });
  const [{ ports, at }] = await answerOf(child);
  return {
    /** Answers by connect-node. */
    url: `http://127.0.0.1:${ports.connect}`,
    /** Answers with bytes that were encoded before. */
    floodUrl: `http://127.0.0.1:${ports.flood}`,
    port: ports.connect,
    /** When it began to listen; hrtime, which all processes of a machine share. */
    listeningAt: BigInt(at),
    send: (message) => void child.send(message),
    async kill() {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}
