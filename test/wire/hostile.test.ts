import { createClient } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createSession, method, type PolicyFunction } from "../../src/index.js";
import { collect, listen } from "../in-memory.js";
import { runsOf } from "../runs.js";
import { type Client, type ClientName, clients, linkTo } from "./clients.js";
import { headersFrame } from "./frames.js";
import { leaveNothingUnhandled, patience } from "./leave-nothing.js";
import { disconnect, errorInfo, message, text } from "./rpc-details.js";
import type { End, Script } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { connectEndStream, connectJson, grpcFields, grpcWebTrailers } from "./status.js";
import { stepsOf } from "./steps.js";

// Servers, and what calls itself one, that send whatever comes to their mind. No session may hear a verdict in it that
// was not said to its end, and each stream ends once.

// Not `leaveNothing`: an HTTP/2 session of Node's that has read garbage keeps its socket.
leaveNothingUnhandled();

const names = Object.keys(clients) as ClientName[];
const cut: End = { kind: "fin" };

/** A kick in our own words. */
const kick = { kind: "status", code: 7, message: "kicked", details: [disconnect(1, text(1, "afk"))] } as const;

/** What looks like a verdict, and is none: another domain, no reason, a reason that is not known, words alone. */
const lookalikes: fc.Arbitrary<End> = fc
  .record({
    code: fc.oneof(fc.constantFrom(7, 8, 9, 16), fc.nat(17)), // those that a real verdict comes with, more often
    words: fc.constantFrom("kicked", "banned", "superseded", "BANNED: you", "", "100% \u{1f6ab}"),
    details: fc.subarray([
      errorInfo("KICKED", "chat.example.com"),
      errorInfo("BANNED", ""),
      disconnect(15),
      { type: "farewell.v1.Disconnect", value: new Uint8Array() },
      { type: "farewell.v1.Disconnect", value: Uint8Array.of(0x0a, 0x7f, 1) },
      { type: "google.rpc.ErrorInfo", value: message(1, Uint8Array.of(0xff)).subarray(0, -1) },
    ]),
    metadata: fc.constantFrom({}, { "x-disconnect-reason": "kicked" }, { "farewell-reason": "nobody" }),
  })
  .map(({ code, words, details, metadata }) => ({ kind: "status", code, message: words, details, metadata }));

const ends: fc.Arbitrary<End> = fc.oneof(
  { weight: 4, arbitrary: lookalikes },
  fc.uint8Array({ minLength: 1, maxLength: 64 }).map((bytes): End => ({ kind: "raw", bytes })),
  fc.uint8Array({ minLength: 1, maxLength: 64 }).map((bytes): End => ({ kind: "body", bytes })),
  fc.nat(15).map((code): End => ({ kind: "rst", code })),
  fc
    .record({ code: fc.nat(13), last: fc.constantFrom("this" as const, "none" as const, "max" as const) })
    .map((goaway): End => ({ kind: "goaway", ...goaway })),
  fc.integer({ min: 200, max: 599 }).map((status): End => ({ kind: "http", status })),
  fc.constantFrom<End[]>({ kind: "clean-end" }, { kind: "truncated" }, { kind: "pause", ms: 1 }, { kind: "tcp-rst" }),
);

const scripts: fc.Arbitrary<Script> = fc.record({
  at: fc.constantFrom("on-connect", "before-headers", "after-headers", "mid-stream"),
  end: fc.array(ends, { minLength: 1, maxLength: 4 }).map((some) => [...some, cut]),
});

describe.each(names)("to %s", (name) => {
  const client = clients[name];

  test("what no server should send is no verdict, and ends the stream once", async () => {
    const playable = scripts.filter((script) => canPlay(script, client));
    await fc.assert(
      fc.asyncProperty(playable, async (script) => {
        const { finals, verdicts } = await toldOf(script, client);
        expect(verdicts).toEqual([]);
        expect(finals).toHaveLength(1);
      }),
      { numRuns: runsOf(100), seed: 20260101 },
    );
  });

  test("a kick that is cut before its last byte is no kick", async () => {
    const whole = written(client);
    for (let length = 0; length < whole.bytes.length; length += 1 + Math.floor(whole.bytes.length / runsOf(40))) {
      const begun: End = { ...whole, bytes: whole.bytes.subarray(0, length) };
      for (const end of [[begun, cut], [begun, { kind: "clean-end" }] as const]) {
        const { finals, verdicts } = await toldOf({ at: "mid-stream", end }, client);
        expect(verdicts, `${length} of ${whole.bytes.length} bytes`).toEqual([]);
        expect(finals).toHaveLength(1);
      }
    }
  });

  test("a kick that is said to its end is one, whatever follows", async () => {
    for (const end of [
      [kick, cut],
      [kick, { kind: "tcp-rst" }],
    ] as const) {
      const { finals, verdicts } = await toldOf({ at: "mid-stream", end }, client, patience.timeout);
      expect(verdicts).toEqual(["kicked: kicked"]);
      expect(finals).toEqual(["streamEnded: 1 stopped"]);
    }
  });
});

/** What a session, which tries twice more, tells of a server that plays the script each time. Some of it hangs. */
async function toldOf(script: Script, client: Client, patienceMs = 50) {
  const server = await startScriptedServer({ ...client, script });
  const { transport, connection } = linkTo(server.url, client);
  let tries = 0;
  const twice: PolicyFunction = () =>
    tries++ < 2 ? { action: "reconnect", afterMs: 1, why: "once more" } : { action: "stop", why: "enough" };
  const session = createSession(transport, {
    connection: { state: () => connection() ?? "open" },
    rateLimit: false,
    methods: [method(ChatService.method.subscribe, { endless: true, idleTimeoutMs: patienceMs })],
    policies: { network: twice, aborted: twice, maintenance: twice, throttled: twice, unauthenticated: twice },
  });
  const { lines } = listen(session);
  await collect(createClient(ChatService, session).subscribe({})).end;
  session.close();
  await server.close();
  return {
    finals: lines.filter((line) => line.startsWith("streamEnded")),
    verdicts: lines.filter((line) => /^(kicked|banned|superseded)/.test(line)),
  };
}

/** The kick in bytes: of the response's body, or in gRPC of the frame that ends the first stream of a connection. */
function written({ protocol }: Client): { readonly kind: "body" | "raw"; readonly bytes: Uint8Array } {
  switch (protocol) {
    case "connect":
      return { kind: "body", bytes: connectEndStream(connectJson(kick)) };
    case "grpc-web":
      return { kind: "body", bytes: grpcWebTrailers(grpcFields(kick)) };
    case "grpc":
      return { kind: "raw", bytes: headersFrame(1, grpcFields(kick), true) };
    default:
      return protocol satisfies never;
  }
}

function canPlay(script: Script, { protocol, httpVersion }: Client): boolean {
  try {
    return stepsOf(script, protocol, httpVersion).length > 0;
  } catch {
    return false;
  }
}
