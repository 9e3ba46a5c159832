import { once } from "node:events";
import { connect, createServer } from "node:net";

/** More than this is not under way at once. */
const mostMs = 200;

/**
 * The path from the clients to a server, as a wire with weather. `lead`: where new connections go to; `undefined`: nowhere.
 */
export async function startRelay() {
  const links = new Set();
  let target;
  let barred = false;
  let delayMs = 0;
  let bytesPerSecond = Number.POSITIVE_INFINITY;
  let swallowing = false;
  let frozen = false;

  const server = createServer({ noDelay: true }, (client) => {
    if (barred || target === undefined) return client.resetAndDestroy();
    const upstream = connect({ host: "127.0.0.1", port: target, noDelay: true });
    const link = { client, upstream, lost: false };
    links.add(link);
    const end = () => {
      links.delete(link);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket
        .on("error", () => {})
        .on("close", () => {
          if (!swallowing)
            end(); // in a hole nobody hears of it
          else link.lost = true;
        });
    }
    pump(link, client, upstream);
    pump(link, upstream, client);
    if (frozen) pauseBoth(link);
  });

  /** In order, each piece after its time on the way; what the path cannot take makes the sender wait. */
  function pump(link, from, to) {
    const underway = []; // pieces, and when they arrive
    let freeAt = 0;
    let timer;

    const deliver = () => {
      timer = undefined;
      while (underway.length > 0 && underway[0].at <= performance.now()) pass(underway.shift().bytes);
      if (underway.length > 0) timer = setTimeout(deliver, Math.max(1, underway[0].at - performance.now()));
      else if (!frozen) from.resume();
    };
    const pass = (bytes) => {
      if (swallowing) link.lost = true;
      else if (bytes === undefined) to.end();
      else if (to.writable) to.write(bytes);
    };
    const send = (bytes) => {
      const now = performance.now();
      freeAt = Math.max(now + delayMs, freeAt) + ((bytes?.length ?? 0) / bytesPerSecond) * 1_000;
      underway.push({ bytes, at: freeAt });
      if (freeAt > now + mostMs) from.pause();
      if (timer === undefined) deliver();
    };
    from.on("data", send).on("end", () => send(undefined));
  }

  function pauseBoth({ client, upstream }) {
    client.pause();
    upstream.pause();
  }

  function cut(how, those = links) {
    for (const { client, upstream } of [...those]) {
      if (how === "rst") client.resetAndDestroy();
      else client.end(); // then both ends close
      upstream.destroy();
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    lead: (port) => {
      target = port;
    },
    cut,
    bar: (is) => {
      barred = is;
    },
    slow: (ms) => {
      delayMs = ms;
    },
    throttle: (bytes) => {
      bytesPerSecond = bytes;
    },
    /** Nothing gets through, and nobody is told. At its end those connections close that have lost something. */
    swallow(is, how) {
      swallowing = is;
      if (!is)
        cut(
          how,
          [...links].filter(({ lost }) => lost),
        );
    },
    /** While it swallows, the clients' side is closed in all order. */
    hangUp() {
      for (const { client } of links) client.end();
    },
    /** Nothing gets through, and nothing is lost. */
    freeze(is) {
      frozen = is;
      for (const { client, upstream } of links) {
        for (const socket of [client, upstream]) is ? socket.pause() : socket.resume();
      }
    },
    close() {
      server.close();
      cut("rst");
    },
  };
}
