import { createRouterTransport } from "@connectrpc/connect";
import { createClient, createSession, type Session } from "farewell";
import { toConnectError } from "farewell/server";
import { createFakeClock, type FakeClock } from "farewell/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { explain } from "./app.js";

// No network and no waiting: Connect's router transport is the server, a fake clock the time.

/** What the server does with each subscription, in order. */
let serve: (attempt: number) => AsyncIterable<{ id: number }>;
let attempts = 0;
let clock: FakeClock;
let session: Session;
let shown: string[];

beforeEach(() => {
  attempts = 0;
  shown = [];
  clock = createFakeClock({ now: Date.UTC(2030, 0, 1, 12, 0) });
  const transport = createRouterTransport((router) => {
    router.rpc(ChatService.method.subscribe, () => serve(++attempts));
  });
  session = createSession(transport, { clock });
  explain(session, {
    dialog: (text) => shown.push(`dialog: ${text}`),
    banner: (text) => shown.push(`banner: ${text ?? "off"}`),
  });
});

afterEach(() => {
  session.close();
  expect(clock.sleepers).toBe(0); // no timer is left
});

/** Reads a stream until it ends, in the background. */
async function read(): Promise<void> {
  try {
    for await (const _ of createClient(ChatService, session).subscribe({ room: "lobby" }));
  } catch {} // the app's handlers were told
}

test("a kicked user reads why, in the app's own words", async () => {
  serve = async function* () {
    yield { id: 1 };
    throw toConnectError({ reason: "kicked", code: "afk", message: "idle" });
  };
  read();
  await clock.settle();
  expect(shown).toEqual(["dialog: You were away for a while. Sign in to go on."]);
  await clock.advance(3_600_000);
  expect(attempts).toBe(1); // and is not brought back
});

test("maintenance shows when the server is back, and the banner goes when it is", async () => {
  const retryAt = new Date(Date.UTC(2030, 0, 1, 12, 30));
  serve = async function* (attempt) {
    if (attempt === 1) throw toConnectError({ reason: "maintenance", retryAt }, clock.now());
    yield { id: 1 };
    await new Promise(() => {}); // stays open
  };
  read();
  await clock.settle();
  expect(shown).toEqual(["banner: Back at 12:30 UTC"]);
  await clock.advance(1_800_000); // half an hour, in no time
  expect(attempts).toBe(1);
  await clock.advance(60_000); // the jitter on top
  expect(shown).toEqual(["banner: Back at 12:30 UTC", "banner: off"]);
});
