import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { Interceptor } from "@connectrpc/connect";
import {
  builtInReasons,
  createClient,
  createSession,
  type Disconnect,
  type DisconnectInit,
  disconnectOf,
  method,
} from "farewell";
import { controlStream } from "farewell/control-stream";
import { nodeTransport } from "farewell/node";
import { ChatService } from "../gen/chat/v1/chat_pb.js";

// Reads a room, says what you type, and prints what farewell understands and decides.
//
// Run: npm run build:examples && node examples/dist/chat/client.js --user ann
// --room, --tag: where to be, and what to be marked with. --url: the server, by default CHAT_URL or port 8080.

const { values } = parseArgs({
  options: {
    user: { type: "string", default: "ann" },
    room: { type: "string", default: "lobby" },
    tag: { type: "string", multiple: true, default: [] },
    url: { type: "string", default: process.env.CHAT_URL ?? "http://127.0.0.1:8080" },
  },
});
const { user, room, tag, url } = values;

const introduce: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${user}`);
  request.header.set("chat-room", room);
  if (tag.length > 0) request.header.set("chat-tags", tag.join(","));
  return next(request);
};
const session = createSession(nodeTransport({ baseUrl: url, interceptors: [introduce] }), {
  extensions: [controlStream()],
  policies: { network: { initialMs: 500, maxMs: 10_000 }, maintenance: { initialMs: 500 } },
  methods: [
    method(ChatService.method.subscribe, {
      endless: true,
      resume: (request, last) => ({ ...request, afterId: last.id }),
    }),
  ],
});

session.on("connected", () => console.log(`connected to ${room} at ${url}`));
session.on("notice", ({ announced }) => console.log(`announced: ${announced.reason}${wordsOf(announced)}`));
for (const reason of builtInReasons) {
  session.on(reason, (disconnect) => console.log(`understood: ${reason}${wordsOf(disconnect)}`));
}
session.on("reconnecting", ({ afterMs, why }) => console.log(`waits ${(afterMs / 1_000).toFixed(1)} s (${why})`));
session.on("reconnected", ({ downMs }) => console.log(`back after ${(downMs / 1_000).toFixed(1)} s`));
session.on("ended", ({ why }) => console.log(`over (${why})`));

process.once("SIGINT", () => session.close());
process.once("SIGTERM", () => session.close());

const chat = createClient(ChatService, session);
const keyboard = createInterface({ input: process.stdin });
keyboard.on("line", (text) => {
  chat.say({ text }).catch((error) => console.log(`not said: ${error.message}`));
});
try {
  for await (const { text } of chat.subscribe({ room })) console.log(`  ${text}`);
} catch (error) {
  if (session.state.status !== "closed") process.exitCode = 1;
  if (session.state.status === "healthy" && !disconnectOf(error)) console.error(String(error)); // all else was told above
}
session.close();
keyboard.close();

/** What was said with a reason, or concluded. */
function wordsOf(words: Disconnect | DisconnectInit): string {
  const parts: string[] = [];
  if ("code" in words && words.code !== undefined) parts.push(`code ${words.code}`);
  if ("by" in words && words.by !== undefined) parts.push(`by ${words.by}`);
  if ("until" in words && words.until) parts.push(`until ${words.until.toLocaleString()}`);
  if ("retryAt" in words && words.retryAt) parts.push(`come back at ${words.retryAt.toLocaleTimeString()}`);
  if (words.message) parts.push(`"${words.message}"`);
  if ("said" in words && !words.said) parts.push("inferred");
  return parts.map((part) => `, ${part}`).join("");
}
