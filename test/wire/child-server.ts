import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import type { ChildOptions, Listening } from "./child.js";

// A Connect server in a process of its own, started by child.ts: it can be killed, stopped and continued like one.

const { httpVersion, intervalMs, port } = JSON.parse(process.argv[2] ?? "") as Required<ChildOptions>;

const handler = connectNodeAdapter({
  routes: (router) => {
    router.service(ChatService, {
      async *subscribe({ afterId }, { signal }) {
        // connect-node sends the headers with the first message, so the first one does not wait.
        for (let id = afterId + 1; !signal.aborted; id++) {
          yield { id, text: `message ${id}` };
          await sleep(intervalMs, undefined, { signal }).catch(() => {}); // the loop looks at the signal
        }
      },
    });
  },
});

const server = httpVersion === "2" ? createHttp2Server(handler) : createServer(handler);
server.listen(port, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port } satisfies Listening);
});
process.on("disconnect", () => process.exit()); // the tests are gone
