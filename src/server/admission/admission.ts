import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { AdminService } from "../../gen/farewell/v1/admin_pb.js";
import type { AdmittedStream } from "../inside/admitted-stream.js";
import { type RawStream, rawRequestKey, rawStreamOf } from "../inside/raw-stream.js";
import type { IncomingCall } from "../who/identity.js";
import { createAddresses } from "./addresses.js";
import { createCallers } from "./callers.js";
import { createCrowd } from "./crowd.js";
import { createEntrance } from "./entrance.js";
import type { AdmissionParts } from "./parts.js";
import { createPatience } from "./patience.js";
import { createRefusals } from "./refusals.js";

/** Everything between a call's arrival and its handler. */
export function createAdmission(parts: AdmissionParts): Interceptor {
  const { settings, pending, calls, closing, audit, clock } = parts;
  const patience = createPatience(settings.identifyTimeoutMs, clock);
  const refusals = createRefusals(patience, audit, clock);
  const addresses = createAddresses({ settings, audit, patience, refusals });
  const crowd = createCrowd(settings.identifyTimeoutMs, clock);
  const callers = createCallers({ ...parts, crowd, patience, refusals });
  const entrance = createEntrance(parts, callers, refusals);

  /** Not inside, for it will be over by itself. What was decided while it was looked at means it, too. */
  async function checkUnary(call: IncomingCall, raw: RawStream | undefined): Promise<void> {
    const lastWords = closing.lastWords();
    if (lastWords) {
      raw?.retire();
      refusals(call).refuse(lastWords);
    }
    const waiting = pending.enter();
    try {
      const who = await callers.identify(call, addresses.ofPeer(call));
      let looked: number;
      do {
        looked = waiting.revocations(who);
        await callers.check(who, call);
      } while (waiting.revocations(who) > looked);
      if (waiting.overtaken) refusals(call).refuseForNow();
      const missed = waiting.missed(who, undefined);
      if (missed) refusals(call, who).refuse(missed.words);
    } finally {
      waiting.leave();
    }
  }

  return (next) => async (request) => {
    const ownDoor = request.service.typeName === AdminService.typeName;
    if (ownDoor && request.stream) return next(request);
    const rawRequest = request.contextValues.get(rawRequestKey);
    const raw = rawRequest && rawStreamOf(rawRequest);
    if (!request.stream) {
      return calls.work(raw, async () => {
        if (!ownDoor) await checkUnary(callOf(request, raw?.peer), raw);
        return next(request);
      });
    }
    const call = callOf(request, raw?.peer);
    const waiting = pending.enter();
    let admitted: AdmittedStream;
    try {
      const address = await addresses.of(call);
      admitted = await entrance.admit(request, { call, raw, waiting, address });
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
