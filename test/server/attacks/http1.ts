import { type Attack, badHosts, each, persist, repeat } from "./attack.js";
import { headOf } from "./calls.js";
import { connect } from "./raw.js";

// Attacks below the calls, over HTTP/1.1.

export const http1Attacks = {
  "slow headers": {
    tries: "connections with headers that do not end",
    quick: 50,
    full: 1_000,
    run: (siege, tries) =>
      each(tries, async () => {
        const raw = await connect(siege);
        await raw.write(headOf("Say").slice(0, -2));
        return raw;
      }),
  },
  "endless headers": {
    tries: "headers of 1 kB, one after the other, on a request that never gets further",
    quick: 500,
    full: 10_000,
    run: (siege, tries) =>
      persist(
        tries,
        () => connect(siege),
        (n, index) => `${n === 0 ? headOf("Say").slice(0, -2) : ""}x-${index}: ${"a".repeat(1_000)}\r\n`,
      ),
  },
  pipelining: {
    tries: "calls in one write, without waiting for an answer",
    quick: 200,
    full: 4_000,
    run: (siege, tries) =>
      each(tries / 100, async () => {
        const raw = await connect(siege);
        await raw.write(headOf("Say").repeat(100));
        return raw;
      }),
  },
  "pipelined streams": {
    tries: "streams in one write on a connection: the first never ends, so the others wait",
    quick: 50,
    full: 1_000,
    run: (siege, tries) =>
      each(tries / 50, async () => {
        const raw = await connect(siege);
        await raw.write(`${headOf("Subscribe", {}, 5)}\0\0\0\0\0`.repeat(50));
        return raw;
      }),
  },
  "readers that never read": {
    tries: "connections with a stream that nobody reads",
    quick: 10,
    full: 100,
    run: (siege, tries) =>
      each(tries, async () => {
        const raw = await connect(siege, { reads: false });
        await raw.write(
          Buffer.concat([
            Buffer.from(headOf("Subscribe", {}, 12)),
            Buffer.of(0, 0, 0, 0, 7, 0x0a, 5),
            Buffer.from("flood"),
          ]),
        );
        return raw;
      }),
  },
  "responses for requests": {
    tries: "lines of a 100 Continue where a request belongs",
    quick: 100,
    full: 2_000,
    run: (siege, tries) =>
      persist(
        tries,
        () => connect(siege),
        () => "HTTP/1.1 100 Continue\r\n\r\n",
      ),
  },
  "an authority that is none": {
    tries: "calls with a Host that no URL can hold, or without one",
    quick: 50,
    full: 1_000,
    async run(siege, tries) {
      const raw = await connect(siege);
      const old = headOf("Say", {}).replace("HTTP/1.1", "HTTP/1.0").replace("host: 127.0.0.1\r\n", "");
      const last = await connect(siege);
      await last.write(old);
      await repeat(tries, (index) => raw.write(headOf("Say", { host: badHosts[index % badHosts.length] ?? "" })));
      return [raw, last];
    },
  },
} as const satisfies { readonly [name: string]: Attack };
