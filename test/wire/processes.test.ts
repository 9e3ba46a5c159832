import { describe, expect, test, vi } from "vitest";
import { ChatService, type Message, type SubscribeRequest } from "../../examples/gen/chat/v1/chat_pb.js";
import { type FarewellClient, method, type SessionEvents, type SessionOptions } from "../../src/index.js";
import { createFakeClock, type FakeClock } from "../../src/testing/index.js";
import { collect } from "../in-memory.js";
import { someOf } from "../runs.js";
import { startChild } from "./child.js";
import { type ClientName, clients, type LinkOptions, linkTo } from "./clients.js";
import { h2 } from "./endings/ending.js";
import { leaveNothing, patience } from "./leave-nothing.js";
import { startRelay } from "./relay.js";
import { sessionAt } from "./session-at.js";

// Servers that die, that stop answering, and that come back. Their messages are numbered, so that none can be lost or
// come twice unnoticed.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];

describe.each(someOf(names))("to %s, a session", (name) => {
  const { httpVersion } = clients[name];

  test("goes on with the next process on the same port after SIGKILL", async () => {
    const first = own(await startChild({ httpVersion, intervalMs: 1 }));
    const policies = { network: { initialMs: 20, maxMs: 20, jitter: "none" } } as const;
    const { arrive, outages } = subscribe(name, first.url, { methods: [resumable], policies });
    await arrive(20);
    await first.close();
    own(await startChild({ httpVersion, intervalMs: 1, port: first.port }));
    await arrive(20);
    expect(outages()).toEqual(["network"]);
  });

  test("leaves a process that stopped answering for another one", async () => {
    const stuck = own(await startChild({ httpVersion }));
    const other = own(await startChild({ httpVersion }));
    const relay = own(await startRelay(stuck.url));
    const { arrive, outages, silence } = subscribe(
      name,
      relay.url,
      { methods: [watched], clock: createFakeClock() },
      ping,
    );
    await arrive(3);
    stuck.kill("SIGSTOP");
    relay.lead(other.url);
    await silence(1);
    await arrive(3);
    expect(new Set(outages())).toEqual(new Set(["network"])); // on a slow machine a PING may time out once more
  });

  test("notices by its watchdog that a process stopped answering, and goes on when it wakes", async () => {
    const child = own(await startChild({ httpVersion }));
    const { arrive, outages, losses, silence } = subscribe(name, child.url, {
      methods: [watched],
      clock: createFakeClock(),
    });
    await arrive(3);
    child.kill("SIGSTOP");
    await silence(2);
    expect(losses()[0]).toMatchObject({
      disconnect: { reason: "network", source: "liveness", message: "no message for 200 ms" },
    });
    child.kill("SIGCONT");
    await arrive(3);
    expect(outages()).toEqual(["network"]);
  });
});

describe.each(someOf(h2))("to %s, with PINGs alone,", (name) => {
  // A call made in the tick in which a PING times out ends the process (connectrpc/connect-es#1768).
  test.each<[number, string, (chat: FarewellClient<typeof ChatService>) => void]>([
    [10, "a policy that knows no delay", () => {}],
    [3, "a listener that makes a call", (chat) => void chat.say({}).catch(() => {})],
    [
      3,
      "a slow listener that makes a call",
      (chat) =>
        void busy(20)
          .then(() => chat.say({}))
          .catch(() => {}),
    ],
  ])("a session outlives %i PING time-outs, even with %s", async (rounds, _, onLoss) => {
    const child = own(await startChild({ httpVersion: "2", intervalMs: 5 }));
    const network = () => ({ action: "reconnect", afterMs: 0, why: "at once" }) as const;
    const options = { methods: [resumable], policies: { network } };
    const { arrive, losses, session, chat } = subscribe(name, child.url, options, ping);
    session.on("streamLost", () => onLoss(chat));
    for (let round = 0; round < rounds; round++) {
      await arrive(3);
      const before = losses().length;
      child.kill("SIGSTOP");
      await vi.waitFor(() => expect(losses().length).toBeGreaterThan(before), patience);
      child.kill("SIGCONT");
    }
    await arrive(3);
    for (const loss of losses()) {
      expect(loss).toMatchObject({ disconnect: { reason: "network", message: "PING timed out" } });
    }
  });
});

/** @param options with a fake clock, time passes only where the session waits for its next attempt, or by `silence` */
function subscribe(
  name: ClientName,
  url: string,
  { clock, ...options }: SessionOptions & { readonly clock?: FakeClock },
  ping: LinkOptions = {},
) {
  const { session, chat, events } = sessionAt(linkTo(url, clients[name], ping), {
    ...options,
    ...(clock && { clock }),
  });
  own(session);
  const { messages } = collect(chat.subscribe({ room: "lobby" }));
  const losses = () => events.filter(([type]) => type === "streamLost").map(([, loss]) => loss);
  return {
    session,
    chat,
    losses,
    /** Nobody says anything, for as often as it takes to lose so many streams. */
    silence: (lost: number) =>
      vi.waitFor(async () => {
        await clock?.advance(idleTimeoutMs);
        expect(losses().length).toBeGreaterThanOrEqual(lost);
      }, patience),
    /** The reasons of all outages so far. */
    outages: () => events.flatMap(([type, payload]) => (type === "disconnected" ? reasonOf(payload) : [])),
    /** Waits for more messages, and looks whether all are there. */
    arrive: async (more: number) => {
      const count = messages.length + more;
      await vi.waitFor(async () => {
        if (session.state.status === "waiting") await clock?.advance(1);
        expect(messages.length).toBeGreaterThanOrEqual(count);
      }, patience);
      expect(messages.map(({ id }) => id)).toEqual(messages.map((_, index) => index + 1));
    },
  };
}

const idleTimeoutMs = 200;
const follow = {
  endless: true,
  resume: (request: SubscribeRequest, last: Message) => ({ ...request, afterId: last.id }),
};
const resumable = method(ChatService.method.subscribe, follow);
const watched = method(ChatService.method.subscribe, { ...follow, idleTimeoutMs });
const ping = { pingIntervalMs: 50, pingTimeoutMs: 100 };

function reasonOf(payload: unknown): string {
  return (payload as SessionEvents["disconnected"]).disconnect.reason;
}

/** Keeps the process busy, without a turn of the event loop. */
async function busy(ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
