import { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { linger } from "../../src/server/inside/linger.js";

// Streams whose answer is complete, and whose client neither reads it nor ends its own half.

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** As much of a stream of Node's as is looked at. `looks`: how often its connection was. */
function createStream() {
  const connection = { queue: 1, looks: 0 };
  const stream = Object.assign(new EventEmitter(), {
    destroyed: false,
    sentTrailers: {} as object | undefined,
    closed: 0,
    session: {
      destroyed: false,
      get state() {
        connection.looks++;
        return { outboundQueueSize: connection.queue };
      },
    },
    close() {
      stream.closed++;
      stream.destroyed = true;
      stream.emit("close");
    },
  });
  return { stream, connection, raw: stream as unknown as ServerHttp2Stream };
}

/** Lets time pass in steps, so that what a timer leads to can begin the next. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    await vi.advanceTimersByTimeAsync(50);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a thousand that are not read have one timer together, and are looked at less and less", async () => {
  const all = Array.from({ length: 1_000 }, createStream);
  for (const { raw } of all) linger(raw);
  expect(vi.getTimerCount()).toBe(1);
  await pass(3_000);
  expect(vi.getTimerCount()).toBe(1);
  for (const { stream, connection } of all) {
    expect(stream.closed).toBe(0);
    expect(connection.looks).toBeLessThan(10); // of sixty rounds
  }
  for (const { stream } of all) stream.close();
  await pass(50);
  expect(vi.getTimerCount()).toBe(0);
});

test("one whose answer has left is asked to stop at the next look, whoever lingers beside it", async () => {
  const [slow, fast] = [createStream(), createStream()];
  linger(slow.raw);
  await pass(200);
  fast.connection.queue = 0;
  linger(fast.raw);
  await pass(50);
  expect([fast.stream.closed, slow.stream.closed]).toEqual([1, 0]);
  slow.connection.queue = 0;
  await pass(3_200);
  expect(slow.stream.closed).toBe(1);
  expect([vi.getTimerCount(), slow.stream.listenerCount("close")]).toEqual([0, 0]);
});

test("one whose connection is lost is forgotten", async () => {
  const { stream, raw } = createStream();
  linger(raw);
  stream.session.destroyed = true;
  await pass(50);
  expect([stream.closed, vi.getTimerCount()]).toEqual([0, 0]);
});
