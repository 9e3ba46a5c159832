import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { ChatService } from "../../bench/chat.mjs";

const callMs = 3_000;

/** The token of one login, and how it is got and renewed over the same bad path as everything. `lifeMs`: `undefined`: no end. */
export function createToken(user, lifeMs) {
  let token;
  const issue = (who) => {
    const now = Date.now();
    token = { ...who, issuedAt: now, ...(lifeMs && { expiresAt: now + lifeMs }) };
  };
  const expiresAt = () => (token?.expiresAt === undefined ? undefined : new Date(token.expiresAt));

  return {
    get session() {
      return token?.session;
    },
    expiresAt,
    /** Each attempt has the token of the day; who signs in has none. */
    interceptor: (next) => (request) => {
      if (request.method.name !== "Say" || !isOfDoor(request.message.text)) {
        request.header.set("x-token", JSON.stringify(token));
      }
      return next(request);
    },
    /** A new login, by the transport below the session. Tries until it is there. */
    async signIn(transport, signal) {
      const chat = createClient(ChatService, transport);
      while (!signal.aborted) {
        const answer = await chat.say({ text: `login ${user}` }, { timeoutMs: callMs, signal }).catch(() => undefined);
        if (answer) return issue({ user, session: randomUUID(), epoch: answer.id - 1 });
        await sleep(300, undefined, { signal }).catch(() => {});
      }
    },
    /** `false`: it was revoked. */
    async renew(transport, signal) {
      const { id } = await createClient(ChatService, transport)
        .say({ text: `renew ${user} ${token.epoch}` }, { timeoutMs: callMs, signal })
        .catch((error) => {
          throw Object.assign(error, { ofPath: true });
        });
      if (id !== 1) return false;
      issue(token);
      return { expiresAt: expiresAt() };
    },
  };
}

const isOfDoor = (text) => text.startsWith("login ") || text.startsWith("renew ");
