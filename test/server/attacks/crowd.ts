import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ChatService } from "../../../examples/gen/chat/v1/chat_pb.js";
import { disconnectOf } from "../../../src/index.js";
import type { Siege } from "./siege.js";

/** Clients that do no harm, and are to come to none: none of them ever opens a stream or a connection anew. */
export interface Crowd {
  /** Each stream goes on without a gap, and each calls and is answered. */
  isWell(): Promise<void>;
  /** One is put out, and hears why; the other's stream goes on. */
  hearsKicks(): Promise<void>;
  close(): void;
}

export async function enterCrowd(siege: Siege): Promise<Crowd> {
  const kickable = `bob-${crowds++}`; // whom no other crowd has among it
  const [ann, bob] = await Promise.all([enter("ann", siege), enter(kickable, siege)]);
  return {
    isWell: async () => void (await Promise.all([ann.isWell(), bob.isWell()])),
    async hearsKicks() {
      const kicked = await siege.ask("kick", kickable);
      assert.deepEqual([kicked.matched, kicked.forced, kicked.failed], [1, 0, 0]);
      const disconnect = disconnectOf(await bob.end);
      assert.deepEqual(disconnect?.reason === "kicked" && [disconnect.code, disconnect.said], ["afk", true]);
      await ann.isWell();
    },
    close() {
      ann.leave();
      bob.leave();
    },
  };
}

let crowds = 0;

async function enter(user: string, { url, httpVersion }: Siege) {
  const introduced: Interceptor = (next) => (request) => {
    request.header.set("user", user);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion,
    nodeOptions: { ca: readFileSync("test/fixtures/localhost.pem") },
    interceptors: [introduced],
  });
  const chat = createClient(ChatService, transport);
  const gone = new AbortController();
  const ids: number[] = [];
  let lost = false;
  async function read(): Promise<unknown> {
    try {
      for await (const { id } of chat.subscribe({ room: "tick" }, { signal: gone.signal })) ids.push(id);
      return undefined;
    } catch (error) {
      return error;
    } finally {
      lost = true;
    }
  }
  const end = read();
  async function isWell(): Promise<void> {
    const before = ids.length;
    assert.equal((await chat.say({})).id, 1);
    while (!lost && ids.length < before + 5) await sleep(1);
    assert.equal(lost ? await end : undefined, undefined);
    assert.deepEqual(
      ids,
      Array.from(ids, (_, index) => index + 1),
    );
  }
  await isWell();
  return { end, isWell, leave: () => gone.abort() };
}
