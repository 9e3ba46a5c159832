import type { ClientName } from "../clients.js";
import { errorInfo, localizedMessage, retryInfo } from "../rpc-details.js";
import type { End } from "../script.js";
import { type Answer, type Ending, ends, every, h1, h2, settledMs, stages, throws } from "./ending.js";

/** A status and nothing else. */
export function statuses(): readonly Ending[] {
  const reasonsOf: { readonly [code: number]: readonly Answer[] } = {
    1: ["aborted"],
    2: ["aborted"],
    3: [undefined],
    4: ["aborted"],
    5: [undefined],
    6: [undefined],
    7: [undefined],
    8: ["throttled"],
    9: [undefined],
    10: ["aborted", undefined],
    11: [undefined],
    12: [undefined],
    13: ["aborted"],
    14: ["network"],
    15: ["aborted", undefined],
    16: ["unauthenticated"],
    17: ["aborted", undefined], // defined by no specification
    99: ["aborted", undefined],
  };
  const failures = Object.entries(reasonsOf).flatMap(([code, reasons]) =>
    stages.map((at) => throws(`status ${code}`, { at, end: status(Number(code)) }, every, reasons)),
  );
  const success = stages.map((at) => ends("status 0", { at, end: status(0) }, every, ["aborted"]));
  return [...failures, ...success];
}

/** A status with details and metadata of a server that knows nothing of this package. */
export function statusesWithWords(): readonly Ending[] {
  const foreign = errorInfo("BANNED", "chat.example.com");
  const metadata = {
    "x-disconnect-reason": "banned",
    "retry-after": "86400",
    "grpc-retry-pushback-ms": "-1",
  };
  const text = "banned – forever 100%";
  return (["before-headers", "mid-stream"] as const).flatMap((at) => [
    throws(
      "status 7 with a foreign ErrorInfo and RetryInfo",
      { at, end: { ...status(7, text), details: [foreign, retryInfo(86_400)], metadata } },
      every,
      [undefined],
    ),
    throws(
      "status 14 with a foreign ErrorInfo, RetryInfo and LocalizedMessage",
      {
        at,
        end: {
          ...status(14, "maintenance"),
          details: [
            errorInfo("MAINTENANCE", "chat.example.com"),
            retryInfo(30),
            localizedMessage("de-CH", "Wir sind gleich zurück"),
          ],
        },
      },
      every,
      ["maintenance"],
    ),
    throws("status 14 with retry-after", { at, end: { ...status(14), metadata: { "retry-after": "30" } } }, every, [
      "maintenance",
    ]),
    throws("status 8 with RetryInfo", { at, end: { ...status(8), details: [retryInfo(5)] } }, every, ["throttled"]),
  ]);
}

/** What follows a status must not replace it. Status 16, because no transport error looks like it. */
export function statusesThenLoss(): readonly Ending[] {
  const row = (name: string, after: End, on: readonly ClientName[]) =>
    throws(`status 16 then ${name}`, { at: "mid-stream", end: [status(16), after] }, on, ["unauthenticated"]);
  return [
    row("FIN", { kind: "fin" }, every),
    row("TCP RST", { kind: "tcp-rst" }, every),
    ...[0, 2, 8].map((code) => row(`RST ${code}`, { kind: "rst", code }, h2)),
    throws(
      "GOAWAY twice, then status 14",
      {
        at: "mid-stream",
        end: [
          { kind: "goaway", code: 0, last: "max" },
          { kind: "goaway", code: 0, last: "this" },
          { kind: "pause", ms: settledMs },
          status(14, "server shutting down"),
        ],
      },
      h2,
      ["network"],
    ),
    throws("status 16, its body ended by FIN", { at: "mid-stream", transfer: "until-close", end: status(16) }, h1, [
      "unauthenticated",
    ]),
  ];
}

function status(code: number, message = `reason text ${code}`): End & { kind: "status" } {
  return { kind: "status", code, message };
}
