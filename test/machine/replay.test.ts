import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type Extension } from "../../src/index.js";
import { begin, type Rules, type State } from "../../src/machine/state.js";
import { step } from "../../src/machine/step.js";
import { toConnectError } from "../../src/server/index.js";
import type { StepRecord } from "../../src/session/extension.js";
import { createFakeClock } from "../../src/testing/index.js";
import { createFakeDevice } from "../device.js";
import { collect, createInMemoryServer } from "../in-memory.js";

test("a recorded log of inputs replays to the same states, events and effects, whatever a policy function said", async () => {
  const clock = createFakeClock({ random: Math.random });
  const server = createInMemoryServer();
  const device = createFakeDevice();
  const log: StepRecord[] = [];
  let rules: Rules | undefined;
  const recorder: Extension = () => ({
    recall(_, known) {
      rules = known;
      return undefined;
    },
    stepped: (record) => void log.push(record),
  });
  const begunAt = clock.monotonic();
  const session = createSession(server.transport, {
    clock,
    extensions: [device.extension, recorder],
    rateLimit: false,
    refresh: async () => true,
    // It cannot be replayed: its answers are chance.
    policies: {
      network: () => ({ action: "reconnect", afterMs: 1 + Math.random() * 5_000, why: "a throw of the dice" }),
    },
  });
  const chat = createClient(ChatService, session);
  const streams = Array.from({ length: 5 }, (_, room) => collect(chat.subscribe({ room: `${room}` })));
  await clock.settle();
  const alive = () => server.streams.filter(({ over }) => !over);
  const errors = [
    () => new ConnectError("down", Code.Unavailable),
    () => new ConnectError("expired", Code.Unauthenticated),
    () => toConnectError({ reason: "maintenance", retryAt: new Date(clock.now() + 5_000) }, clock.now()),
    () => new ConnectError("reset", Code.Internal),
  ];
  for (let round = 0; round < 40; round++) {
    for (const [n, stream] of alive().entries())
      if (n % 2 === round % 2) stream.end(errors[Math.floor(round / 2) % errors.length]?.());
    if (round % 7 === 3) device.become("offline");
    if (round % 5 === 2) clock.setWallClock(clock.now() + (round % 2 === 0 ? 1 : -1) * 3_600_000);
    await clock.advance(3_000);
    device.become(undefined);
    for (const stream of alive()) stream.send(round);
    await clock.advance(12_000);
  }
  alive()[0]?.end(toConnectError({ reason: "kicked", code: "afk", message: "Idle" }));
  await Promise.all(streams.map(({ end }) => end));
  session.restart();
  session.close();

  if (!rules) throw new Error("the session has asked nobody");
  let state: State = begin(rules, begunAt);
  for (const { before, input, moment, state: after, events, effects } of log) {
    expect(state).toEqual(before);
    const answer = step(state, input, rules, moment);
    expect(answer).toEqual({ state: after, events, effects });
    state = answer.state;
  }
  expect(log.length).toBeGreaterThan(300);
  expect(new Set(log.map(({ state: { phase } }) => phase.status))).toEqual(
    new Set(["healthy", "waiting", "probing", "recovering", "refreshing", "paused", "ended", "closed"]),
  );
});
