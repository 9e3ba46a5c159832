import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { AdminService } from "../../gen/farewell/v1/admin_pb.js";
import type { AdmittedStream } from "../inside/admitted-stream.js";
import { rawRequestKey, rawStreamOf } from "../inside/raw-stream.js";
import type { IncomingCall } from "../who/identity.js";
import { createCallers } from "./callers.js";
import { createEntrance } from "./entrance.js";
import type { AdmissionParts } from "./parts.js";
import { createRefusals } from "./refusals.js";

/** Everything between a call's arrival and its handler. */
export function createAdmission(parts: AdmissionParts): Interceptor {
  const { settings, pending, audit, clock } = parts;
  const refusals = createRefusals(audit, clock);
  const callers = createCallers(settings, refusals, audit, clock);
  const entrance = createEntrance(parts, callers, refusals);

  return (next) => async (request) => {
    if (request.service.typeName === AdminService.typeName) return next(request); // it has a door of its own
    const rawRequest = request.contextValues.get(rawRequestKey);
    const raw = rawRequest && rawStreamOf(rawRequest);
    const call = callOf(request, raw?.peer);
    if (!request.stream) {
      await callers.check(await callers.identify(call), call); // not inside: it will be over by itself
      return next(request);
    }
    const waiting = pending.enter();
    let admitted: AdmittedStream;
    try {
      admitted = await entrance.admit(request, call, raw, waiting);
    } finally {
      waiting.leave();
    }
    return admitted.run(next, request);
  };
}

function callOf(request: StreamRequest | UnaryRequest, peer: string | undefined): IncomingCall {
  const { service, method, header, contextValues, signal } = request;
  return { method: `${service.typeName}/${method.name}`, header, peer, contextValues, signal };
}
