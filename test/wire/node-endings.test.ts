import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { classify, type Evidence } from "../../src/disconnect/classify.js";
import { someOf } from "../runs.js";
import type { Ending } from "./endings/ending.js";
import { endings } from "./endings.js";
import { frame, frameType, goaway } from "./frames.js";
import { leaveNothing } from "./leave-nothing.js";
import { type OurName, ourLinkTo, ours, oursOverHttp2 } from "./our-links.js";
import type { Script } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { watch } from "./watch.js";

// Every ending of the wire tests, over the transport of farewell/node. It has the name that it has over connect-node, and
// what hangs there ends here, unless the server is alive and just says nothing.

const own = leaveNothing();
const names = Object.keys(ours) as OurName[];

const mute: Script = { at: "before-headers", end: { kind: "silence" } };

describe.each(names)("over %s,", (name) => {
  const { httpVersion } = ours[name];
  const its = endings.filter(({ on }) => on.includes(`node ${name}`));
  const spoken = its.filter(({ outcome }) => outcome !== "hangs");
  const hanging = httpVersion === "2" ? its.filter((ending) => ending.outcome === "hangs" && !isAlive(ending)) : [];

  test.each(someOf(spoken, names.indexOf(name)).map((ending) => [ending.name, ending.script.at, ending] as const))(
    "%s %s is called what it is over connect-node",
    async (_name, _at, { script, outcome, reasons }) => {
      const server = own(await startScriptedServer({ ...ours[name], script }));
      const { evidence } = await watch(own(ourLinkTo(server.url, name)));
      expect("error" in evidence ? "throws" : "ends", told(evidence)).toBe(outcome);
      expect(reasons, told(evidence)).toContain(classify(evidence)?.reason);
    },
  );

  test("a server that speaks no TLS is not a disconnect at first", async () => {
    const server = own(await startScriptedServer({ ...ours[name], script: mute }));
    const { evidence } = await watch(own(ourLinkTo(server.url.replace("http:", "https:"), name)));
    expect(classify(evidence), told(evidence)).toBeUndefined();
  });

  test("nor is one of the other HTTP version", async () => {
    const other = httpVersion === "2" ? "1.1" : "2";
    const server = own(await startScriptedServer({ protocol: "connect", httpVersion: other, script: mute }));
    const { evidence } = await watch(own(ourLinkTo(server.url, name)));
    expect(classify(evidence), told(evidence)).toBeUndefined();
  });

  if (hanging.length > 0) {
    test.each(hanging.map((ending) => [ending.name, ending.script.at, ending] as const))(
      "%s %s, over which connect-node hangs, ends",
      async (ending, _at, { script }) => {
        const server = own(await startScriptedServer({ ...ours[name], script }));
        const link = own(ourLinkTo(server.url, name));
        const reset = ending.startsWith("RST");
        let over = false;
        const watched = watch(link).finally(() => {
          over = true;
        });
        while (!over) await (reset ? watched : link.clock.advance(1_000));
        const { evidence } = await watched;
        expect(classify(evidence)?.reason, told(evidence)).toBe(reset ? "aborted" : "network");
      },
    );
  }
});

test.each(oursOverHttp2)(
  "over %s, a server that leaves as it greets is asked a few times, and the call fails",
  async (name) => {
    const bytes = Buffer.concat([frame(frameType.settings, 0, 0), goaway(0, 0, "")]);
    const script: Script = { at: "on-connect", end: { kind: "raw", bytes } };
    const server = own(await startScriptedServer({ ...ours[name], script }));
    const { evidence } = await watch(own(ourLinkTo(server.url, name)));
    expect(classify(evidence)?.reason, told(evidence)).toBe("network");
    expect(server.connections()).toBeLessThanOrEqual(5);
  },
);

/** The server answers PINGs: nothing is wrong with the connection. */
function isAlive({ name, script }: Ending): boolean {
  return name === "silence" && script.at !== "on-connect";
}

/** The evidence in words, for the report of a failed test. */
function told(evidence: Evidence): string {
  if (!("error" in evidence)) return "the stream ended without an error";
  const { error, connection } = evidence;
  const text = error instanceof ConnectError ? `${Code[error.code]} ${error.rawMessage}` : String(error);
  return `${text} (connection ${connection})`;
}
