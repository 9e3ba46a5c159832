import { readFileSync } from "node:fs";
import { transformSync } from "esbuild";

// The examples' service as JavaScript: Node 20 runs no TypeScript. Nothing is written to disk.
const source = readFileSync(new URL("../examples/gen/chat/v1/chat_pb.ts", import.meta.url), "utf8");
const code = transformSync(source, { loader: "ts", format: "esm" }).code.replace(
  /from "(@bufbuild\/[^"]+)"/g,
  (_, name) => `from ${JSON.stringify(import.meta.resolve(name))}`,
);

export const { ChatService, MessageSchema, SubscribeRequestSchema } = await import(
  `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`
);
