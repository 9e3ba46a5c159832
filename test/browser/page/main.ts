import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { ChatService } from "../../../examples/gen/chat/v1/chat_pb.js";
import { browser } from "../../../src/browser/index.js";
import { controlStream } from "../../../src/control-stream/index.js";
import { createClient, createSession, type Disconnect, disconnectOf, method } from "../../../src/index.js";
import type { SetUp } from "./set-up.js";

// A chat as a user sees it: a line that says how things are, the messages, and two buttons.

const setUp: SetUp = JSON.parse(new URL(location.href).searchParams.get("set-up") ?? "{}");
const {
  protocol,
  api = location.origin,
  account,
  memory = true,
  login = "",
  session: options = {},
  controlStream: attends = false,
} = setUp;
const given = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

let token = 0;
let logins = 0;
const introduce: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${account}.${token}`);
  request.header.set("login", `${login}.${logins}`);
  return next(request);
};
const transportTo = protocol === "connect" ? createConnectTransport : createGrpcWebTransport;
const { hiddenAfterMs, asleepAfterMs, coolDownMs, rememberMs } = setUp;

const session = createSession(transportTo({ baseUrl: api, interceptors: [introduce], useBinaryFormat: true }), {
  ...options,
  extensions: [
    browser({
      ...given({ hiddenAfterMs, asleepAfterMs }),
      ...(memory && { account, ...given({ coolDownMs, rememberMs }) }),
    }),
    ...(attends ? [controlStream()] : []),
  ],
  methods: [
    method(ChatService.method.subscribe, {
      endless: true,
      resume: (request, last) => ({ ...request, afterId: last.id }),
    }),
  ],
  async refresh(signal) {
    const response = await fetch(`${api}/token`, { method: "POST", body: account, signal });
    if (response.status === 403) return false;
    token = Number(await response.text());
    return true;
  },
});
const chat = createClient(ChatService, session);

const status = document.querySelector("[role=status]") as HTMLElement;
const list = document.querySelector("ul") as HTMLElement;
const statuses: string[] = [];
const events: string[] = [];
const persisted: boolean[] = [];
globalThis.shown = { statuses, events, persisted, attempt: 0 };

const show = (text: string) => {
  statuses.push(text);
  status.textContent = text;
};
const pauses = {
  offline: "you are offline",
  hidden: "paused while nobody looks",
  frozen: "put aside",
  asleep: "just woken up",
};

session.on("connected", () => show("connected"));
session.on("reconnected", () => show("connected"));
session.on("paused", ({ why }) => show(pauses[why]));
session.on("reconnecting", ({ disconnect, afterMs, attempt }) => {
  globalThis.shown = { ...globalThis.shown, attempt };
  show(waitOf(disconnect, afterMs));
});
// After a reload in an outage nothing was scheduled anew: the page goes on with the wait of the page before it.
session.on("state", (state) => {
  if (state.status === "waiting" && statuses.at(-1) === "connecting") {
    show(waitOf(state.outage.disconnect, state.until - Date.now()));
  }
});
session.on("ended", ({ disconnect }) => show(farewellOf(disconnect)));

for (const type of [
  ...["connected", "disconnected", "reconnecting", "reconnected", "paused", "ended", "state"],
  ...["streamOpened", "streamLost", "streamReopened", "streamEnded"],
] as const) {
  session.on(type as "state", (payload) => {
    const brief = JSON.stringify(payload, (key, value) => (key === "cause" || key === "error" ? undefined : value));
    events.push(`${new Date().toISOString().slice(14)} ${type} ${brief}`);
  });
}
addEventListener("pageshow", (event) => void persisted.push(event.persisted));

function waitOf(disconnect: Disconnect, afterMs: number): string {
  const { reason, message, said } = disconnect;
  const back = reason === "maintenance" && said ? disconnect.retryAt : undefined;
  if (back) return `back at ${back.toISOString()}`;
  return `reconnecting in ${Math.ceil(Math.max(0, afterMs) / 1000)} s: ${reason}, ${message}`;
}

function farewellOf(disconnect: Disconnect): string {
  const { reason, message } = disconnect;
  switch (reason) {
    case "kicked":
      return `kicked: ${message}`;
    case "banned":
      return `banned until ${disconnect.until?.toISOString() ?? "further notice"}: ${message}`;
    case "superseded":
      return `signed in elsewhere: ${disconnect.by}`;
    case "unauthenticated":
      return `signed out: ${message}`;
    default:
      return `over: ${reason}, ${message}`;
  }
}

async function subscribe(): Promise<void> {
  list.replaceChildren();
  try {
    for await (const { text } of chat.subscribe({ room: "lobby" })) {
      list.append(Object.assign(document.createElement("li"), { textContent: text }));
    }
    show("the stream is complete");
  } catch (error) {
    const { status } = session.state;
    if (status !== "ended") show(`stopped: ${disconnectOf(error)?.reason ?? error}`);
  }
}

function press(name: string, then: () => void): void {
  document.querySelector(`[name="${name}"]`)?.addEventListener("click", then);
}
press("log in again", () => {
  logins++;
  session.restart();
  show("connecting");
  void subscribe();
});
press("try now", () => session.retry());

show("connecting");
void subscribe();
