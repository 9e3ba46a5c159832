import type { End } from "../script.js";
import { connectEndStream, grpcWebTrailers } from "../status.js";
import { message } from "../steps.js";
import { type Answer, connect, type Ending, ends, grpc, grpcWeb, those, throws } from "./ending.js";

/** Statuses that no implementation should send; some do. */
export function malformedStatuses(): readonly Ending[] {
  const unreadable = ["aborted", undefined, "network"] as const;
  const odd = ["aborted", undefined] as const;
  const cut = { kind: "clean-end" } as const;
  const connectEnd = (json: string): readonly End[] => [{ kind: "body", bytes: connectEndStream(json) }, cut];
  const at = "mid-stream";
  const afterEnd = [{ kind: "body", bytes: connectEndStream("{}") }, { kind: "body", bytes: message(2) }, cut] as const;

  const ofConnect = [
    throws("end of stream that is not JSON", { at, end: connectEnd("{") }, connect, unreadable),
    throws(
      "end of stream with a malformed detail",
      { at, end: connectEnd('{"error":{"code":"permission_denied","details":[{"type":1}]}}') },
      connect,
      unreadable,
    ),
    throws(
      "end of stream with a code of its own",
      { at, end: connectEnd('{"error":{"code":"kicked","message":"you"}}') },
      connect,
      odd,
    ),
    throws("end of stream with an empty error", { at, end: connectEnd('{"error":{}}') }, connect, odd),
    ends("end of stream with a null error", { at, end: connectEnd('{"error":null}') }, connect, ["aborted"]),
    throws(
      "a message after the end of stream",
      { at, end: afterEnd },
      those({ protocol: "connect", library: "connect-node" }),
      unreadable,
    ),
    // connect-web stops reading at the end of stream.
    ends(
      "a message after the end of stream",
      { at, end: afterEnd },
      those({ protocol: "connect", library: "connect-web" }),
      ["aborted"],
    ),
  ];

  const ofGrpc = (name: string, fields: { readonly [name: string]: string }, reasons: readonly Answer[]) => [
    throws(name, { at, end: { kind: "trailers", fields } }, grpc, reasons),
    throws(name, { at, end: [{ kind: "body", bytes: grpcWebTrailers(fields) }, cut] }, grpcWeb, reasons),
  ];
  // google.rpc.Status { code: 0, message: "kicked" }
  const okDetails = Buffer.from("\x12\x06kicked").toString("base64");
  const denied = { "grpc-status": "7", "grpc-message": "kicked" };
  const contradictory = { ...denied, "grpc-status-details-bin": okDetails };
  return [
    ...ofConnect,
    ...ofGrpc("trailers without grpc-status", { "x-reason": "kicked" }, ["aborted"]),
    ...ofGrpc("grpc-status: kicked", { "grpc-status": "kicked" }, odd),
    ...ofGrpc("grpc-message with a stray %", { ...denied, "grpc-message": "100% kicked" }, ["aborted"]),
    ...ofGrpc("grpc-status-details-bin that is not base64", { ...denied, "grpc-status-details-bin": "§" }, unreadable),
    // A refusal that reads as a clean end: the loop ends, and only the trailer still says 7.
    ends("grpc-status 7 with details that say 0", { at, end: { kind: "trailers", fields: contradictory } }, grpc, [
      undefined,
    ]),
    ends(
      "grpc-status 7 with details that say 0",
      { at, end: [{ kind: "body", bytes: grpcWebTrailers(contradictory) }, cut] },
      grpcWeb,
      [undefined],
    ),
    ends("grpc-status 0 in the headers, then a message", { at, headers: { "grpc-status": "0" }, end: cut }, grpc, [
      "aborted",
    ]),
    throws(
      "grpc-status 0 in the headers, then a message",
      { at, headers: { "grpc-status": "0" }, end: cut },
      grpcWeb,
      unreadable,
    ),
  ];
}
