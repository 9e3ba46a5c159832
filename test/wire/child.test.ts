import { createClient } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { ChatService, type Message } from "../../examples/gen/chat/v1/chat_pb.js";
import { classify } from "../../src/disconnect/classify.js";
import { someOf } from "../runs.js";
import { type Child, startChild } from "./child.js";
import { type ClientName, clients, linkTo } from "./clients.js";

const names = Object.keys(clients) as ClientName[];
const children: Child[] = [];

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.close()));
});

describe.each(someOf(names))("a server process, to %s,", (name) => {
  const client = clients[name];

  test.each(["SIGKILL", "SIGTERM"] as const)("that dies of %s mid-stream is network", async (signal) => {
    const child = await start();
    const { messages, connection } = subscribe(child, 41);
    expect((await messages.next()).value).toMatchObject({ id: 42, text: "message 42" });
    child.kill(signal);
    const disconnect = await readToEnd(messages).catch((error: unknown) =>
      classify({ error, connection: connection() }),
    );
    expect(disconnect?.reason).toBe("network");
  });

  test("that is stopped goes on with the same stream when continued", async () => {
    const child = await start();
    const { messages, cancel } = subscribe(child, 0);
    expect((await messages.next()).value?.id).toBe(1);
    child.kill("SIGSTOP");
    child.kill("SIGCONT");
    expect((await messages.next()).value?.id).toBe(2);
    expect((await messages.next()).value?.id).toBe(3);
    cancel();
  });

  if (client.httpVersion === "2") {
    test("that is stopped is network, once a PING times out", async () => {
      const child = await start();
      const { messages, connection } = subscribe(child, 0, { pingIntervalMs: 50, pingTimeoutMs: 250 });
      const stopAndRead = async () => {
        await messages.next();
        child.kill("SIGSTOP");
        return await readToEnd(messages);
      };
      const disconnect = await stopAndRead().catch((error: unknown) => classify({ error, connection: connection() }));
      expect(disconnect).toMatchObject({ reason: "network", message: "PING timed out" });
    });
  }

  async function start(): Promise<Child> {
    const child = await startChild({ httpVersion: client.httpVersion });
    children.push(child);
    return child;
  }

  function subscribe(child: Child, afterId: number, ping = {}) {
    const { transport, connection } = linkTo(child.url, client, ping);
    const canceled = new AbortController();
    const messages = createClient(ChatService, transport)
      .subscribe({ room: "lobby", afterId }, { signal: canceled.signal })
      [Symbol.asyncIterator]();
    return { messages, connection, cancel: () => canceled.abort() };
  }
});

async function readToEnd(messages: AsyncIterator<Message>): Promise<undefined> {
  while (!(await messages.next()).done);
}
