import { method, reauthenticated, retried } from "farewell";
import { ChatService } from "../../bench/chat.mjs";
import { runOf } from "../ticks.mjs";

const { subscribe, talk, say } = ChatService.method;
const idleTimeoutMs = 10_000;

/** How the chat's streams go on where they were. */
export const entries = (retries) => [
  method(subscribe, {
    endless: true,
    idleTimeoutMs,
    resume: ({ room, ...request }, last) => ({
      ...request,
      room: room === "anew" ? `${room}@${runOf(last.text)}` : room,
      afterId: last.id,
    }),
    position: ({ id }) => id,
    run: ({ text }) => runOf(text),
  }),
  method(talk, {
    endless: true,
    idleTimeoutMs,
    resume: (first, last) => [{ room: first.room, afterId: last?.id ?? 0 }],
    position: ({ id }) => id,
  }),
  retries ? retried(say, { maxAttempts: 5 }) : reauthenticated(say),
];
