import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { unheldClock } from "../../src/node/unheld-clock.js";

test("after the event loop stood still, what has come meanwhile is read before a timer is late", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const here = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [there]: Socket[] = await once(server, "connection");
  const happened: string[] = [];
  const heard = once(here, "data").then(() => happened.push("heard"));
  const late = unheldClock.sleep(5).then(() => happened.push("late"));
  there?.write("pong");
  const until = performance.now() + 50;
  while (performance.now() < until);
  await Promise.all([heard, late]);
  expect(happened).toEqual(["heard", "late"]);
  here.destroy();
  there?.destroy();
  server.close();
});

test("a sleep that nobody wants any more rejects with the signal's reason, and a long one does not end at once", async () => {
  const controller = new AbortController();
  let ended = false;
  const slept = unheldClock.sleep(2 ** 40, controller.signal).finally(() => {
    ended = true;
  });
  await unheldClock.sleep(5);
  expect(ended).toBe(false);
  controller.abort();
  await expect(slept).rejects.toThrow("aborted");
});
