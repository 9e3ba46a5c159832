import type { End } from "../script.js";
import { message } from "../steps.js";
import { type Ending, every, h1, h2, hangs, settledMs, stages, throws } from "./ending.js";

export function lostConnections(): readonly Ending[] {
  return [
    ...stages.flatMap((at) => [
      throws("FIN", { at, end: { kind: "fin" } }, every, ["network"]),
      throws("TCP RST", { at, end: { kind: "tcp-rst" } }, every, ["network"]),
      throws("TCP RST later", { at, pauseMs: settledMs, end: { kind: "tcp-rst" } }, every, ["network"]),
    ]),
    throws("FIN", { at: "on-connect", end: { kind: "fin" } }, every, ["network"]),
    throws("TCP RST", { at: "on-connect", end: { kind: "tcp-rst" } }, every, ["network"]),
  ];
}

/** The HTTP message is whole, the call is not: what HAProxy and Caddy make of every upstream failure. */
export function brokenResponses(): readonly Ending[] {
  const begun = ["after-headers", "mid-stream"] as const;
  const half: End = { kind: "body", bytes: message(2).subarray(0, -3) };
  return [
    ...begun.map((at) => throws("clean end", { at, end: { kind: "clean-end" } }, every, ["aborted"])),
    ...begun.map((at) =>
      throws("clean end by FIN", { at, transfer: "until-close", end: { kind: "clean-end" } }, h1, ["aborted"]),
    ),
    throws("half a message, then a clean end", { at: "mid-stream", end: { kind: "truncated" } }, every, ["aborted"]),
    throws(
      "half a message, then TCP RST",
      { at: "mid-stream", end: [half, { kind: "pause", ms: settledMs }, { kind: "tcp-rst" }] },
      every,
      ["network"],
    ),
  ];
}

export function silences(): readonly Ending[] {
  const silent = { kind: "silence" } as const;
  return [
    hangs("silence", { at: "on-connect", end: silent }, every),
    ...stages.map((at) => hangs("silence", { at, end: silent }, every)),
    ...stages.map((at) => hangs("silence, PINGs unanswered", { at, end: { ...silent, pings: "ignored" } }, h2)),
  ];
}
