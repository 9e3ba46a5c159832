import { createClient, createSession, method } from "farewell";
import { nodeTransport } from "farewell/node";
import { startChatServer } from "../chat-server.js";
import { ChatService } from "../gen/chat/v1/chat_pb.js";

// A worker that reads an endless stream: it goes on after every loss, says what it does as lines of JSON, and leaves
// cleanly on SIGTERM, telling where to go on.
//
// Run: npm run build:examples && node examples/dist/worker/main.js
// CHAT_URL: the server, by default one in this process. AFTER_ID: where the last run stopped.

const url = process.env.CHAT_URL;
const { baseUrl, close } = url === undefined ? await startChatServer() : { baseUrl: url, close() {} };
let afterId = Number(process.env.AFTER_ID ?? 0);

const session = createSession(nodeTransport({ baseUrl }), {
  headersTimeoutMs: 5_000,
  policies: { network: { initialMs: 500 }, aborted: { initialMs: 200, maxAttempts: null } },
  methods: [
    method(ChatService.method.subscribe, {
      endless: true, // a clean end is a loss, too
      idleTimeoutMs: 1_000, // and so is silence; in earnest 30 s, with a heartbeat of the server's every 10 s
      resume: (request, last) => ({ ...request, afterId: last.id }),
      position: (message) => message.id,
    }),
  ],
});

session.on("streamLost", ({ disconnect: { reason, source, said, message } }) => {
  log("lost", { reason, source, said, message, afterId });
});
session.on("reconnecting", ({ attempt, afterMs, why }) => log("reconnecting", { attempt, afterMs, why }));
session.on("reconnected", ({ downMs, attempts, gap }) => log("reconnected", { downMs, attempts, gap }));
session.on("streamGap", ({ missed }) => log("gap", { missed, afterId }));
session.on("ended", ({ disconnect, why }) => log("ended", { reason: disconnect.reason, why }));

process.once("SIGTERM", () => session.close());
process.once("SIGINT", () => session.close());

log("started", { afterId, pid: process.pid });
try {
  for await (const { id } of createClient(ChatService, session).subscribe({ room: "lobby", afterId })) {
    afterId = id; // after the work is done: a message counts as read only then
    log("message", { id });
  }
} catch (error) {
  if (session.state.status !== "closed") {
    process.exitCode = 1;
    log("failed", { error: String(error) });
  }
}
log("stopped", { afterId });
close();

function log(event: string, fields: object): void {
  console.log(JSON.stringify({ at: new Date().toISOString(), event, ...fields }));
}
