import { describe, expect, test } from "vitest";
import { classify } from "../../src/index.js";
import { type ClientName, clients, linkTo } from "./clients.js";
import { leaveNothing } from "./leave-nothing.js";
import { disconnect, errorInfo, message, retryInfo, secondsOf, text } from "./rpc-details.js";
import type { Status } from "./script.js";
import { startScriptedServer } from "./scripted-server.js";
import { watch } from "./watch.js";

// PROTOCOL.md, spoken by a server that has none of our code: each of its forms alone, for each reason.

const own = leaveNothing();
const names = Object.keys(clients) as ClientName[];
const now = Date.UTC(2030, 0, 1);
const until = new Date("2031-02-03T04:05:06Z");
const retryAt = new Date(now + 90_000);
const domain = "farewell.v1";

interface Spoken {
  readonly reason: string;
  /** What a client is to read. */
  readonly fields: object;
  readonly typed: Status["details"];
  readonly errorInfo: Status["details"];
  readonly mirror: Status["metadata"];
}

const all: readonly Spoken[] = [
  {
    reason: "kicked",
    fields: { code: "afk, ä" },
    typed: [disconnect(1, text(1, "afk, ä"))],
    errorInfo: [errorInfo("KICKED", domain, { code: "afk, ä" })],
    mirror: { "farewell-reason": "kicked", "farewell-code": "afk%2C%20%C3%A4" },
  },
  {
    reason: "banned",
    fields: { until, code: "cheat" },
    typed: [disconnect(2, Buffer.concat([message(1, secondsOf(until.getTime() / 1000)), text(2, "cheat")]))],
    errorInfo: [errorInfo("BANNED", domain, { until: "2031-02-03T04:05:06Z", code: "cheat" })],
    mirror: { "farewell-reason": "banned", "farewell-until": "2031-02-03T04%3A05%3A06Z", "farewell-code": "cheat" },
  },
  {
    reason: "superseded",
    fields: { by: "phone" },
    typed: [disconnect(3, text(1, "phone"))],
    errorInfo: [errorInfo("SUPERSEDED", domain, { by: "phone" })],
    mirror: { "farewell-reason": "superseded", "farewell-by": "phone" },
  },
  {
    reason: "unauthenticated",
    fields: {},
    typed: [disconnect(4)],
    errorInfo: [errorInfo("UNAUTHENTICATED", domain)],
    mirror: { "farewell-reason": "unauthenticated" },
  },
  {
    reason: "maintenance",
    fields: { retryAt },
    typed: [disconnect(5, message(1, secondsOf(90)))],
    errorInfo: [errorInfo("MAINTENANCE", domain), retryInfo(90)],
    mirror: { "farewell-reason": "maintenance", "retry-after": "90" },
  },
  {
    reason: "throttled",
    fields: { retryAt },
    typed: [disconnect(6, message(1, secondsOf(90)))],
    errorInfo: [errorInfo("THROTTLED", domain), retryInfo(90)],
    mirror: { "farewell-reason": "throttled", "grpc-retry-pushback-ms": "90000" },
  },
  {
    reason: "aborted",
    fields: {},
    typed: [disconnect(7)],
    errorInfo: [errorInfo("ABORTED", domain)],
    mirror: { "farewell-reason": "aborted" },
  },
  {
    reason: "network",
    fields: {},
    typed: [disconnect(8)],
    errorInfo: [errorInfo("NETWORK", domain)],
    mirror: { "farewell-reason": "network" },
  },
];

describe.each(names)("to %s,", (name) => {
  const client = clients[name];

  describe.each(["before-headers", "after-headers", "mid-stream"] as const)("%s", (at) => {
    test.each(all)("$reason is heard from each form alone", async ({ reason, fields, ...forms }) => {
      for (const [form, source] of [
        ["typed", "detail"],
        ["errorInfo", "detail"],
        ["mirror", "trailer"],
      ] as const) {
        // Status 9 tells nothing by itself.
        const status = { kind: "status", code: 9, message: "100 % over – Tschüss" } as const;
        const end = form === "mirror" ? { ...status, metadata: forms.mirror } : { ...status, details: forms[form] };
        const server = own(await startScriptedServer({ ...client, script: { at, end: end as Status } }));
        const { evidence } = await watch(linkTo(server.url, client));
        const heard = classify(evidence, { now });
        expect(heard, form).toMatchObject({ reason, ...fields, said: true, source, message: status.message });
      }
    });
  });
});
