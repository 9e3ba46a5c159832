import { setTimeout as sleep } from "node:timers/promises";

const timeoutMs = 5_000;
const settledMs = 60_000;

/** A unary call now and then, until the signal aborts: each settles, however it ends. Answers with how many there were. */
export async function keepCalling(chat, everyMs, signal, complain) {
  for (let calls = 0; ; calls++) {
    await sleep(everyMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return calls;
    const late = () => complain(`a unary call with a time-out of ${timeoutMs} ms has not settled for ${settledMs} ms`);
    const watchdog = setTimeout(late, settledMs);
    await chat.say({ text: "hello" }, { timeoutMs, signal }).catch(() => {});
    clearTimeout(watchdog);
  }
}
