import { setTimeout as sleep } from "node:timers/promises";
import { createClient as createConnectClient } from "@connectrpc/connect";
import { createClient, createSession, streamOf } from "farewell";
import { controlStream } from "farewell/control-stream";
import { ChatService } from "../../bench/chat.mjs";
import { violation } from "../child.mjs";
import { roomsOf } from "../rooms.mjs";
import { counted, createBudget } from "./budget.mjs";
import { keepCalling } from "./calling.mjs";
import { entries } from "./entries.mjs";
import { follow } from "./followed.mjs";
import { kindOf, policies, rateLimit } from "./kinds.mjs";
import { listenTo } from "./listen.mjs";
import { createToken } from "./token.mjs";
import { linkTo } from "./transport.mjs";

/** One login of a user: a session, its streams, and its unary calls. */
export function startLogin(user, index, urls) {
  const kind = kindOf(index);
  const { way, controlled } = kind;
  const who = `${user} ${way.protocol}/${way.httpVersion}${controlled ? "+control" : ""}`;
  const complain = (what) => violation(`${who}: ${what}`);
  const token = createToken(user, kind.lifeMs);
  const link = linkTo(urls, way, [token.interceptor]);
  const life = new AbortController();
  const streams = new Set();
  let ready = false;

  const budget = createBudget(rateLimit, complain);
  const session = openSession(kind, { link, token, budget, complain });
  const checkEnds = listenTo(session, who, complain, {
    reserved: budget.reserved,
    // A drop-in client has no labels: whichever of its streams begins anew next was told.
    reset: (stream) => {
      for (const followed of streams) if (!followed.label || followed.label === stream) followed.reset();
    },
  });
  const chat = kind.dropIn ? createConnectClient(ChatService, session) : createClient(ChatService, session);

  function open(name) {
    const abort = new AbortController();
    const { signal } = abort;
    const messages =
      name === "talk" ? chat.talk(speak(signal), { signal }) : chat.subscribe({ room: name }, { signal });
    const followed = Object.assign(follow(name, who, messages), {
      label: streamOf(messages),
      cancel: () => abort.abort(),
    });
    streams.add(followed);
    followed.over.then(() => followed.wanted === false && streams.delete(followed));
    return followed;
  }

  async function signIn() {
    ready = false;
    await token.signIn(link, life.signal);
    if (life.signal.aborted) return;
    session.restart();
    streams.clear();
    for (const name of roomsOf(index, way.httpVersion)) open(name);
    ready = true;
  }

  const signingIn = signIn();
  const calling = signingIn.then(() => keepCalling(chat, 1_000 + (index % 7) * 200, life.signal, complain));

  return {
    session,
    survey() {
      const { status, disconnect } = session.state;
      const about = { who, ready, status, reason: disconnect?.reason, controlled, connection: link.connection.state() };
      return { ...about, streams: [...streams].map(({ survey }) => survey()) };
    },
    /** A new login of the same session, after it was put out. */
    again: signIn,
    /** Comes back although it was put out, with the same login. Answers with what its stream ends with. */
    async knock() {
      session.restart();
      const followed = open("tick");
      await followed.over;
      streams.delete(followed);
      return followed.end;
    },
    /** Leaves one of its streams, and opens it anew. */
    reopen(which) {
      const [followed] = [...streams].filter(({ open, wanted }) => open && wanted !== false).slice(which);
      if (!followed) return;
      followed.wanted = false;
      followed.cancel();
      open(followed.room);
    },
    retry: () => session.retry(),
    /** Everything it has ends; then each stream has had its one last event. */
    async close() {
      life.abort();
      session.close();
      await Promise.all([...streams].map(({ over }) => over));
      await signingIn;
      checkEnds();
      link.close();
      await calling;
    },
  };
}

function openSession({ controlled, ahead, retries }, { link, token, budget, complain }) {
  const session = createSession(
    counted(link, budget, () => session.state.status),
    {
      connection: link.connection, // what counts attempts stands before the transport, which would tell it by itself
      policies,
      rateLimit,
      healthyAfterMs: 2_000,
      refresh: (signal) => token.renew(link, signal),
      refreshTimeoutMs: 10_000,
      ...(ahead && { expiresAt: token.expiresAt }),
      methods: entries(retries),
      extensions: controlled ? [controlStream()] : [],
      reportError: (error) => error?.ofPath || complain(`reportError: ${error?.stack ?? error}`),
    },
  );
  return session;
}

/** The client's half of a talk. */
async function* speak(signal) {
  yield { room: "talk" };
  while (!signal.aborted) {
    await sleep(2_000, undefined, { signal }).catch(() => {});
    if (!signal.aborted) yield { text: "hello" };
  }
}
