import { connect } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { over } from "../../wire/session-at.js";
import { annInside } from "./guest.js";
import { startGuardedServer } from "./servers.js";

// What one connection may carry, and what a server that was busy with something else for a while makes of it.

const own = leaveNothing();

test.each(["connect-node h1", "fastify h1", "express h1"] as const)(
  "fifty calls that are pipelined over one connection of HTTP/1.1 are answered, and nothing warns of them (%s)",
  async (mount) => {
    const server = own(await startGuardedServer(mount));
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    let received = "";
    socket.on("data", (data) => {
      received += data;
    });
    const body = "{}";
    const call = [
      "POST /chat.v1.ChatService/Say HTTP/1.1",
      `Host: ${hostname}`,
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n");
    socket.write(call.repeat(50));
    await vi.waitFor(() => expect(received.match(/HTTP\/1\.1 200/g)).toHaveLength(50), patience);
    // That nothing warns of it is looked at when the test is over.
  },
);

/** Nothing else happens in this process for so long. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test.each([
  ["connect-node h2", "node h2 grpc"],
  ["connect-node h2", "node h2 connect"],
  ["connect-node h1", "node h1 connect"],
] as const)(
  "a server (%s) that stands still for longer than forceAfterMs forces nobody who could be told (%s)",
  async (mount, client) => {
    const { bouncer, end } = await annInside(own, mount, client, {
      forceAfterMs: 50,
      methods: {
        async *subscribe(_, { signal }) {
          yield { id: 1 };
          await over(signal);
          setImmediate(standStill, 200);
        },
      },
    });
    const report = await bouncer.kick({ user: "ann" });
    expect(report).toMatchObject({ matched: 1, told: 1, forced: 0 });
    expect(String(await end)).toContain("permission_denied"); // the code of `kicked`
  },
);
