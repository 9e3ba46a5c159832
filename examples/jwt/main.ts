import assert from "node:assert/strict";
import { createClient, createSession, type Disconnect, disconnectOf } from "farewell";
import { nodeTransport } from "farewell/node";
import { ChatService } from "../gen/chat/v1/chat_pb.js";
import { startServer } from "./server.js";

// Sessions by JWT: a refresh, a kick, a revocation, and the way back after each.
//
// Run: npm run build:examples && node examples/dist/jwt/main.js

const { auth, bouncer, baseUrl, close } = await startServer();

let tokens = await auth.login("ann", "open sesame", 3_000);
const refreshes: ("renewed" | "refused")[] = [];
const transport = nodeTransport({
  baseUrl,
  interceptors: [
    (next) => (request) => {
      request.header.set("authorization", `Bearer ${tokens.access}`); // for each attempt the token of the day
      return next(request);
    },
  ],
});
const session = createSession(transport, {
  policies: { unauthenticated: { initialMs: 20 } },
  async refresh() {
    const access = await auth.refresh(tokens.refresh);
    refreshes.push(access === undefined ? "refused" : "renewed");
    if (access === undefined) return false; // signed out
    tokens = { ...tokens, access };
    return true;
  },
});
const chat = createClient(ChatService, session);

let messages = subscribe();
assert.equal(await next(), "welcome");
const [first] = bouncer.list({ user: "ann" });
tell("ann signs in and is welcome; her token is good for three seconds");

assert.equal(await next(), "welcome");
const [second] = bouncer.list({ user: "ann" });
assert.deepEqual(refreshes, ["renewed"]);
assert.equal(second?.session, first?.session);
assert.equal(await bouncer.epoch("ann"), 0);
tell("the token ends, farewell gets a new one, and the stream goes on: the same login, nothing was revoked");

const kick = await bouncer.kick({ user: "ann" }, { code: "afk", message: "Idle for 10 minutes" });
assert.deepEqual([kick.matched, kick.told], [1, 1]);
assert.equal((await end()).reason, "kicked");
assert.equal(session.state.status, "ended");
tell("ann is kicked: farewell makes no attempt to come back");

session.restart();
messages = subscribe();
assert.equal(await next(), "welcome");
tell("by her own decision she may: a kick keeps nobody out, and her token still counts");

const { matched, told, epoch } = await bouncer.revoke("ann", { message: "You signed out everywhere" });
assert.deepEqual([matched, told, epoch], [1, 1, 1]);
const { reason, message } = await end();
assert.deepEqual([reason, message], ["unauthenticated", "You signed out everywhere"]);
assert.deepEqual(refreshes, ["renewed", "refused"]);
assert.equal(session.state.status, "ended");
tell("her tokens are revoked: the stream ends, the refresh is refused, and with it the session is over");

session.restart();
messages = subscribe();
assert.equal((await end()).message, "the credentials were revoked");
assert.equal(bouncer.stats().refusals.unauthenticated, 1);
tell("the old token is refused at the door, although it has not run out");

tokens = await auth.login("ann", "open sesame", 60_000);
session.restart();
messages = subscribe();
assert.equal(await next(), "welcome");
assert.equal((await auth.verify(tokens.access)).epoch, 1);
tell("a new login has the new epoch: welcome back");

session.close();
close();

function subscribe() {
  return chat.subscribe({ room: "lobby" })[Symbol.asyncIterator]();
}

async function next(): Promise<string | undefined> {
  return (await messages.next()).value?.text;
}

/** What the session understands of the end of the stream. */
async function end(): Promise<Disconnect> {
  const error = await messages.next().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const disconnect = disconnectOf(error);
  assert(disconnect, `expected a disconnect, got ${error}`);
  return disconnect;
}

function tell(step: string): void {
  console.log(`✓ ${step}`);
}
