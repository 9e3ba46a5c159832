import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Gone, start } from "./process.mjs";
import { startRelay } from "./relay.mjs";

const exitWithinMs = 60_000;

/** A server, the clients that are its own, and the path between them. `log`: gets what happens. */
export async function openHouse({ name, users, folder, startedAt, log }) {
  const paths = { 1: await startRelay(), 2: await startRelay() };
  const urls = { 1: paths[1].url, 2: paths[2].url };
  const store = join(folder, `${name}.journal`);
  let server;
  let birth;
  let life = 0;
  let expected = false; // its end
  let dying;
  const told = (who) => (message) => log.told(`${name} ${who}`, message);

  async function bear() {
    expected = false;
    life++;
    server = await start("server/main.mjs", { store, startedAt, drainMs: 2_000, exitWithinMs }, told(`server ${life}`));
    for (const version of [1, 2]) paths[version].lead(server.ports[version]);
    const own = life;
    server.exited.then(({ code, signal }) => {
      if (!expected && own === life) log.violation(`${name}: the server has ended by itself: ${signal ?? code}`);
    });
  }
  birth = bear();
  await birth;
  const clients = await start("client/main.mjs", { users, urls, exitWithinMs }, told("clients"));
  let closing = false;
  clients.exited.then(
    ({ code, signal }) => closing || log.violation(`${name}: the clients have ended: ${signal ?? code}`),
  );

  /** What a verdict may have met, for what is expected of it. */
  const harms = [];
  const harm = async (action) => {
    const own = { from: performance.now(), until: Number.POSITIVE_INFINITY };
    harms.push(own);
    try {
      return await action();
    } finally {
      own.until = performance.now();
    }
  };

  async function replace(downMs) {
    await server.exited;
    for (const path of Object.values(paths)) path.lead(undefined);
    await sleep(downMs);
    birth = bear();
    await birth;
  }

  const both = (action) => Object.values(paths).forEach(action);
  const during = (on, off) => (event) =>
    harm(async () => {
      both((path) => on(path, event));
      await sleep(event.ms);
      both((path) => off(path, event));
    });

  const weather = {
    hole: during(
      (path) => path.swallow(true),
      (path, { how }) => path.swallow(false, how),
    ),
    hangUp: (event) =>
      harm(async () => {
        both((path) => path.swallow(true));
        await sleep(event.ms);
        both((path) => path.hangUp());
        await sleep(200);
        both((path) => path.swallow(false, "fin"));
      }),
    freeze: during(
      (path) => path.freeze(true),
      (path) => path.freeze(false),
    ),
    slow: during(
      (path, { byMs }) => path.slow(byMs),
      (path) => path.slow(0),
    ),
    throttle: during(
      (path, { to }) => path.throttle(to),
      (path) => path.throttle(Number.POSITIVE_INFINITY),
    ),
    bar: during(
      (path) => path.bar(true),
      (path) => path.bar(false),
    ),
    cut: ({ how }) => harm(async () => both((path) => path.cut(how))),
    stopServer: ({ ms }) => harm(() => server.stop(ms)),
    stopClient: ({ ms }) => harm(() => clients.stop(ms)),
    kill: ({ ms }) => harm(() => end("SIGKILL", ms)),
    term: ({ ms }) => harm(() => end("SIGTERM", ms)),
  };

  /** The first wins: a server that is being ended is not ended again. */
  function end(signal, downMs) {
    dying ??= (async () => {
      expected = true;
      server.kill(signal);
      const { code } = await server.exited;
      if (signal === "SIGTERM" && code !== 0 && code !== 1)
        log.violation(`${name}: SIGTERM ended the server with ${code}`);
      await replace(downMs);
    })().finally(() => {
      dying = undefined;
    });
    return dying;
  }

  return {
    name,
    weather,
    clients,
    /** Whether the path or a process was in trouble within this time. */
    harmed: (from, until = performance.now()) => harms.some((harm) => harm.from < until && harm.until > from),
    get life() {
      return life;
    },
    get server() {
      return server;
    },
    /** Asks the server of now, and the next one where that was ended meanwhile. */
    async ask(order, args) {
      for (;;) {
        await birth;
        const asked = server;
        try {
          return await asked.ask(order, args);
        } catch (error) {
          if (!(error instanceof Gone) || (asked === server && !expected)) throw error;
          await dying; // it is being replaced
          await sleep(50);
        }
      }
    },
    measure: async () => ({ server: await server.ask("measure"), clients: await clients.ask("measure") }),
    /** Everything is closed in order, and both processes have nothing left that keeps them. */
    async close() {
      closing = true;
      await clients.ask("close");
      expected = true;
      await server.ask("close");
      for (const [who, child] of Object.entries({ clients, server })) {
        child.disconnect();
        const { code, signal } = await child.exited;
        if (code !== 0)
          log.violation(`${name}: after all was closed, something kept the ${who} for a minute: ${signal ?? code}`);
      }
      for (const path of Object.values(paths)) path.close();
    },
  };
}
