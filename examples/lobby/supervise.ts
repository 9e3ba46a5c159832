import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Decision } from "./audit.js";

/** What the game server tells its supervisor. */
export type FromGame =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "decided"; readonly decision: Decision };

/** What the supervisor sees of the game server. `code`: 0 after a drain, `null` after a crash. */
export type GameEvent = FromGame | { readonly type: "stopped"; readonly code: number | null };

/** The game server, whichever process it is now. */
export interface Game {
  /** Kills it without a word. It is started again like after a deploy. */
  crash(): void;
  /** Has it drained, and starts no other. Resolves when it has ended. */
  close(): Promise<void>;
}

/**
 * Starts the game server, and another one in its place `downMs` after it has ended, for whatever reason.
 *
 * @param env its environment; `LOBBY_GAME_PORT` is its port, which stays what it was the first time
 */
export function supervise(env: NodeJS.ProcessEnv, downMs: number, tell: (event: GameEvent) => void): Game {
  let child: ChildProcess | undefined;
  let port = env.LOBBY_GAME_PORT;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function start(): void {
    const file = fileURLToPath(new URL("./server.js", import.meta.url));
    child = fork(file, { env: { ...process.env, ...env, LOBBY_GAME_PORT: port }, serialization: "advanced" });
    child.on("message", (message: FromGame) => {
      if (message.type === "listening") port = String(message.port);
      tell(message);
    });
    child.once("exit", (code) => {
      child = undefined;
      if (closed) return;
      tell({ type: "stopped", code });
      timer = setTimeout(start, downMs);
    });
  }

  start();
  return {
    crash: () => void child?.kill("SIGKILL"),
    async close() {
      closed = true;
      clearTimeout(timer);
      if (!child) return;
      const exited = new Promise((resolve) => child?.once("exit", resolve));
      child.kill("SIGTERM");
      await exited;
    },
  };
}
