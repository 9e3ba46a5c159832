import { create, toBinary } from "@bufbuild/protobuf";
import { MessageSchema } from "../../examples/gen/chat/v1/chat_pb.js";
import type { End, Fields, HttpVersion, Protocol, Script, Status } from "./script.js";
import { connectEndStream, connectJson, contentType, envelope, grpcFields, grpcWebTrailers } from "./status.js";

/** One thing a connection can do, in the terms of HTTP and TCP; no protocol of Connect's is left in it. */
export type Step =
  /** Begins a response whose body follows piece by piece. */
  | { readonly do: "head"; readonly fields: Fields; readonly untilClose: boolean }
  | { readonly do: "body"; readonly bytes: Uint8Array }
  /** Ends the response. */
  | { readonly do: "finish"; readonly trailers: Fields }
  /** A whole response at once. */
  | { readonly do: "respond"; readonly status: number; readonly fields: Fields; readonly body: Uint8Array }
  | { readonly do: "reset"; readonly code: number }
  | {
      readonly do: "goaway";
      readonly code: number;
      readonly last: "this" | "none" | "max";
      readonly debug: string;
    }
  | { readonly do: "ignore-pings" }
  | { readonly do: "raw"; readonly bytes: Uint8Array }
  | { readonly do: "fin" }
  | { readonly do: "tcp-rst" }
  | { readonly do: "pause"; readonly ms: number };

/** What the script says must be done, in order. Throws a `TypeError` for what the HTTP version cannot do. */
export function stepsOf(script: Script, protocol: Protocol, httpVersion: HttpVersion): readonly Step[] {
  const { at, messages = 1, firstId = 1, intervalMs = 0, pauseMs = 0, headers = {}, transfer } = script;
  const steps: Step[] = [];
  const begin = (extra: Fields = {}) => {
    if (steps.some((step) => step.do === "head")) return;
    const fields = { "content-type": contentType(protocol), ...headers, ...extra };
    steps.push({ do: "head", fields, untilClose: transfer === "until-close" });
  };

  if (at === "after-headers" || at === "mid-stream") begin();
  if (at === "mid-stream") {
    for (let id = firstId; id < firstId + messages; id++) {
      if (intervalMs > 0 && id > firstId) steps.push({ do: "pause", ms: intervalMs });
      steps.push({ do: "body", bytes: message(id) });
    }
  }
  if (pauseMs > 0) steps.push({ do: "pause", ms: pauseMs });
  for (const end of [script.end].flat()) {
    switch (end.kind) {
      case "status":
        steps.push(...statusSteps(end));
        break;
      case "clean-end":
        begin();
        steps.push({ do: "finish", trailers: {} });
        break;
      case "truncated":
        begin();
        steps.push({ do: "body", bytes: message(firstId).subarray(0, -3) }, { do: "finish", trailers: {} });
        break;
      case "body":
        begin();
        steps.push({ do: "body", bytes: end.bytes });
        break;
      case "trailers":
        begin();
        steps.push({ do: "finish", trailers: end.fields });
        break;
      case "http":
        steps.push(httpResponse(end));
        break;
      case "rst":
        steps.push({ do: "reset", code: end.code });
        break;
      case "goaway":
        steps.push({ do: "goaway", code: end.code, last: end.last, debug: end.debug ?? "" });
        if (end.then === "fin" || end.then === "tcp-rst") steps.push({ do: end.then });
        break;
      case "fin":
      case "tcp-rst":
        steps.push({ do: end.kind });
        break;
      case "raw":
        steps.push({ do: "raw", bytes: end.bytes });
        break;
      case "pause":
        steps.push({ do: "pause", ms: end.ms });
        break;
      case "silence":
        if (end.pings === "ignored") steps.push({ do: "ignore-pings" });
        break;
      default:
        return end satisfies never;
    }
  }
  const impossible = steps.find((step) => !possible(step, at, httpVersion));
  if (impossible) {
    throw new TypeError(`script: ${impossible.do} is impossible over HTTP/${httpVersion} ${at}`);
  }
  return steps;

  function statusSteps(status: Status): readonly Step[] {
    const begun = steps.some((step) => step.do === "head");
    switch (protocol) {
      case "connect":
        begin();
        return [
          { do: "body", bytes: connectEndStream(connectJson(status)) },
          { do: "finish", trailers: {} },
        ];
      case "grpc-web":
        // Before the headers, gRPC and gRPC-Web put the status into them ("Trailers-Only").
        begin(grpcFields(status));
        if (!begun) return [{ do: "finish", trailers: {} }];
        return [
          { do: "body", bytes: grpcWebTrailers(grpcFields(status)) },
          { do: "finish", trailers: {} },
        ];
      case "grpc": {
        if (begun) return [{ do: "finish", trailers: grpcFields(status) }];
        const fields = { "content-type": contentType(protocol), ...headers, ...grpcFields(status) };
        return [{ do: "respond", status: 200, fields, body: noBytes }];
      }
      default:
        return protocol satisfies never;
    }
  }
}

/** A message of the chat service in its envelope. */
export function message(id: number): Uint8Array {
  return envelope(0, toBinary(MessageSchema, create(MessageSchema, { id, text: `message ${id}` })));
}

const noBytes = new Uint8Array();

function httpResponse({ status, headers = {}, contentType = "text/html" }: End & { kind: "http" }): Step {
  const bodiless = status === 204;
  return {
    do: "respond",
    status,
    fields: bodiless ? headers : { "content-type": contentType, ...headers },
    body: bodiless ? noBytes : Buffer.from(`<html>${status}</html>`),
  };
}

function possible(step: Step, at: Script["at"], httpVersion: HttpVersion): boolean {
  switch (step.do) {
    case "fin":
    case "tcp-rst":
    case "pause":
    case "raw":
      return true;
    case "reset":
    case "goaway":
    case "ignore-pings":
      return httpVersion === "2" && at !== "on-connect";
    case "finish":
      return at !== "on-connect" && (httpVersion === "2" || Object.keys(step.trailers).length === 0);
    case "head":
    case "body":
      return at !== "on-connect";
    case "respond":
      return at === "before-headers";
    default:
      return step satisfies never;
  }
}
