import { parseArgs, styleText } from "node:util";
import { protocols } from "./protocols.js";
import { scenes } from "./scenes/index.js";
import { createServerProcess } from "./server-process.js";
import { play, type Result } from "./stage.js";
import { summary } from "./summary.js";
import { createTimeline } from "./timeline.js";

// Every scene against a real server, on real sockets. Exits with 1 if any was not understood as it should be.

const limitMs = 55_000;

const { values } = parseArgs({ options: { protocol: { type: "string", default: "connect" } } });
const protocol = protocols.find((name) => name === values.protocol);
if (protocol === undefined) {
  console.error(`--protocol: expected one of ${protocols.join(", ")}, got ${JSON.stringify(values.protocol)}`);
  process.exit(2);
}

// The server's process is killed on every exit.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
process.stdout.on("error", () => process.exit(1)); // `| head`
setTimeout(() => {
  console.error(`not done within ${limitMs / 1000} s`);
  process.exit(1);
}, limitMs).unref();

const timeline = createTimeline();
const server = createServerProcess((text, at) => timeline.line("server", text, at));
await server.start();
console.log(`\n  ${styleText("bold", "farewell")}: ${scenes.length} ways in which a stream ends, and what comes of it`);
console.log(
  styleText("dim", `  ${protocol} over HTTP/2, server process at ${server.url}, seconds since each scene began`),
);

const results: Result[] = [];
for (const scene of scenes) {
  timeline.begin(results.length + 1, scene.title, scene.story);
  const result = await play(scene, server, protocol, timeline);
  results.push(result);
  const { decision, failure } = result;
  const mark = failure === undefined ? styleText("green", "✓") : styleText("red", "✗");
  console.log(`\n     ${mark} ${failure ?? decision}`);
}
await server.kill();

console.log(summary(results));
process.exitCode = results.every(({ failure }) => failure === undefined) ? 0 : 1;
