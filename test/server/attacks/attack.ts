import { setImmediate as turn } from "node:timers/promises";
import type { Raw } from "./raw.js";
import type { Siege } from "./siege.js";

/** One way to hurt a server. */
export interface Attack {
  /** What is tried, in plain words. */
  readonly tries: string;
  /** How many of them, where it is quick; and all of it. */
  readonly quick: number;
  readonly full: number;
  /** Resolves when all was tried, with the connections that stay: they belong to it. */
  run(siege: Siege, tries: number): Promise<readonly Raw[]>;
}

/** What no URL can hold as a host. */
export const badHosts = ["[", "a b", "x:99999", "%"] as const;

/** Does it so many times; after each hundred the others of this process have their turn. */
export async function repeat(tries: number, work: (index: number) => Promise<unknown> | undefined): Promise<void> {
  for (let index = 0; index < tries; index++) {
    await work(index);
    if (index % 100 === 99) await turn();
  }
}

/**
 * Sends so many, on a connection that is opened anew as often as the server has closed it, which is how an attacker goes on.
 *
 * @param bytesOf the nth on its connection, and of all
 */
export async function persist(
  tries: number,
  connect: () => Promise<Raw>,
  bytesOf: (n: number, index: number) => string | Uint8Array,
): Promise<readonly Raw[]> {
  let raw = await connect();
  let since = 0;
  for (let index = 0; index < tries; index += inOneWrite) {
    if (raw.closed) {
      raw.close();
      raw = await connect();
      since = index;
    }
    const count = Math.min(inOneWrite, tries - index);
    await raw.write(
      Buffer.concat(Array.from({ length: count }, (_, k) => Buffer.from(bytesOf(index + k - since, index + k)))),
    );
    await turn();
  }
  return [raw];
}

const inOneWrite = 50;

/** So many connections that stay. */
export async function each(tries: number, open: (index: number) => Promise<Raw>): Promise<readonly Raw[]> {
  const raws: Raw[] = [];
  await repeat(tries, async (index) => raws.push(await open(index)));
  return raws;
}
