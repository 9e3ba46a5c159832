import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { classify, type Evidence } from "../../src/disconnect/classify.js";
import { someOf } from "../runs.js";
import { type Client, type ClientName, clients, linkTo } from "./clients.js";
import { endings } from "./endings.js";
import { errorInfo, localizedMessage } from "./rpc-details.js";
import type { Script } from "./script.js";
import { type ScriptedServer, startScriptedServer } from "./scripted-server.js";
import { type Sighting, watch } from "./watch.js";

const names = Object.keys(clients) as ClientName[];

// Endings that hang give the classifier nothing; a session's own deadlines end those.
describe.each(names)("to %s", (name) => {
  const client = clients[name];
  const nth = names.indexOf(name);
  const raised = endings.filter(({ on }) => on.includes(name));
  for (const { name: ending, script, outcome, reasons } of someOf(raised, nth)) {
    if (outcome === "hangs") continue;
    test(`${ending} ${script.at} is ${reasons.map(String).join(" or ")}`, async () => {
      const { evidence, ids } = await endOf(client, script);
      expect("error" in evidence ? "throws" : "ends", told(evidence)).toBe(outcome);
      expect(reasons, told(evidence)).toContain(classify(evidence)?.reason);
      // Whatever else may be lost on the way, what was sent before a status is not.
      if ([script.end].flat()[0]?.kind === "status") {
        expect(ids).toEqual(script.at === "mid-stream" ? [1] : []);
      }
    });
  }

  test("an app's own ErrorInfo is what the app says it is", async () => {
    const details = [errorInfo("BANNED", "chat.example.com"), localizedMessage("de-CH", "Auf Wiedersehen")];
    const { evidence } = await endOf(client, {
      at: "mid-stream",
      end: { kind: "status", code: 7, message: "banned", details },
    });
    const disconnect = classify(evidence, { reasons: { "chat.example.com": { BANNED: "banned" } } });
    expect(disconnect).toMatchObject({
      reason: "banned",
      message: "banned",
      localized: { locale: "de-CH", message: "Auf Wiedersehen" },
    });
  });

  test("a refused connection is network", async () => {
    const server = await startScriptedServer({ ...client, script: silence });
    await server.close();
    const { evidence } = await watch(linkTo(server.url, client));
    expect(classify(evidence)?.reason, told(evidence)).toBe("network");
  });
});

describe.each(names.filter((name) => clients[name].library === "connect-node"))("to %s", (name) => {
  const client = clients[name];

  test("a server that speaks no TLS is not a disconnect", async () => {
    const { evidence } = await endOf(client, silence, (server) => server.url.replace("http:", "https:"));
    expect(classify(evidence), told(evidence)).toBeUndefined();
  });

  test("a server of the other HTTP version is not a disconnect", async () => {
    const httpVersion = client.httpVersion === "2" ? "1.1" : "2";
    const server = await startScriptedServer({ protocol: "connect", httpVersion, script: silence });
    const { evidence } = await endAt(server, server.url, client);
    expect(classify(evidence), told(evidence)).toBeUndefined();
  });
});

const silence: Script = { at: "before-headers", end: { kind: "silence" } };

/** Lets the client subscribe at a server that plays the script. */
async function endOf(
  client: Client,
  script: Script,
  urlOf = (server: ScriptedServer) => server.url,
): Promise<Sighting> {
  const server = await startScriptedServer({ ...client, script });
  return await endAt(server, urlOf(server), client);
}

async function endAt(server: ScriptedServer, url: string, client: Client): Promise<Sighting> {
  try {
    return await watch(linkTo(url, client));
  } finally {
    await server.close();
  }
}

/** The evidence in words, for the report of a failed test. */
function told(evidence: Evidence): string {
  if (!("error" in evidence)) return "the stream ended without an error";
  const { error, connection } = evidence;
  const text = error instanceof ConnectError ? `${Code[error.code]} ${error.rawMessage}` : String(error);
  return `${text} (connection ${connection})`;
}
