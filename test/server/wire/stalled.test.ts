import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { startGuardedServer } from "./servers.js";

// The client's machine has gone to sleep: its connection stands, and takes nothing any more, not even a reset.

const own = leaveNothing();
const mib = 1024 * 1024;

/** A way to the server on which nothing comes back once it is stalled. */
async function startWay(url: string) {
  const ends: Socket[] = [];
  let stalled = () => {};
  const way = createServer((near) => {
    const far = connect(Number(new URL(url).port), "127.0.0.1");
    near.pipe(far).pipe(near);
    stalled = () => void far.unpipe().pause();
    for (const end of [near, far]) {
      ends.push(end);
      end.on("error", () => {});
    }
  });
  await once(way.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(way.address() as AddressInfo).port}`,
    stall: () => stalled(),
    async close() {
      for (const end of ends) end.destroy();
      way.close();
      await once(way, "close");
    },
  };
}

test("a stream on a connection that takes nothing any more is put out all the same", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {}); // Connect tells of each HTTP/2 stream that is reset under it
  const server = own(
    await startGuardedServer("connect-node h2", {
      methods: {
        async *subscribe() {
          for (;;) yield { id: 1, payload: new Uint8Array(mib) };
        },
      },
    }),
  );
  const way = own(await startWay(server.url));
  const connection = connectHttp2(way.url, { settings: { initialWindowSize: 512 * mib } }); // TCP alone holds it back
  own({ close: () => connection.destroy() });
  connection.on("error", () => {});
  await once(connection, "connect");
  connection.setLocalWindowSize(512 * mib);
  for (let count = 0; count < 4; count++) {
    const stream = connection.request({
      ":method": "POST",
      ":path": "/chat.v1.ChatService/Subscribe",
      "content-type": "application/grpc+proto",
      te: "trailers",
      user: "ann",
    });
    stream.on("error", () => {});
    stream.end(new Uint8Array(5));
  }
  await vi.waitFor(() => expect(server.bouncer.count()).toBe(4), patience);
  way.stall();
  await vi.waitFor(() => expect(server.unsent()).toBeGreaterThan(3 * mib), patience);
  const report = await server.bouncer.kick({ user: "ann" }, {}, { mode: "abort" });
  expect(report).toMatchObject({ matched: 4, told: 0, forced: 4, left: 0, failed: 0 });
  expect(server.bouncer.count()).toBe(0);
  vi.restoreAllMocks();
});
