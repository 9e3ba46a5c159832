import type { Answer, Order } from "./child.js";
import { type Server, startServer } from "./server.js";

// A server in a process of its own, started by child.ts: it can be killed like one.

let server: Server | undefined;

process.on("message", async (order: Order) => {
  if (order === "calls") return answer({ calls: server?.calls ?? [] });
  server = await startServer(order.start);
  answer({ url: server.url, port: server.port });
});
process.on("disconnect", () => process.exit()); // the tests are gone

function answer(answer: Answer): void {
  process.send?.(answer);
}
