import { Code, ConnectError, type StreamRequest } from "@connectrpc/connect";
import type { Clock } from "../../ports/clock.js";
import {
  type AdmittedStream,
  admittedStreamKey,
  createAdmittedStream,
  type Stream,
} from "../inside/admitted-stream.js";
import type { PendingCall } from "../inside/pending.js";
import type { RawStream } from "../inside/raw-stream.js";
import { atExpiry } from "../inside/renewal.js";
import type { IncomingCall, Who } from "../who/identity.js";
import { createPlaces } from "./accept.js";
import type { Callers } from "./callers.js";
import { type Kind, kindOf } from "./kind.js";
import { createLoginPlaces } from "./login-place.js";
import type { AdmissionParts } from "./parts.js";
import { createRations } from "./rations.js";
import type { Refusals } from "./refusals.js";
import { register } from "./register.js";

/** A stream that has come, and is not in yet. */
export interface Newcomer {
  readonly call: IncomingCall;
  /** What it is counted by; `undefined`: not known. */
  readonly address: string | undefined;
  readonly raw: RawStream | undefined;
  readonly waiting: PendingCall;
}

/** A stream's way in. */
export interface Entrance {
  /** Lets it in, or rejects with what it is refused with. What costs least comes first. */
  admit(request: StreamRequest, newcomer: Newcomer): Promise<AdmittedStream>;
}

export function createEntrance(parts: AdmissionParts, callers: Callers, refusals: Refusals): Entrance {
  const { settings, registry, closing, audit, clock } = parts;
  const placeFor = createPlaces(settings, clock);
  const rations = createRations(settings, audit, clock);
  const places = createLoginPlaces(settings, parts.supersede, audit, clock);
  const describe = createDescriptions(parts.name, clock);
  const registration = { registry, closing, callers, places, refusals };
  return {
    async admit(request, newcomer) {
      const { call, address, raw } = newcomer;
      const kind = kindOf(request);
      const refusal = refusals(call);
      if (closing.closed) raw?.retire();
      const words = closing.words();
      if (words) refusal.refuse(words);
      await rations.takeForAddress(kind, address, refusal); // its own budget first, and then what is there for all
      const place = placeFor(kind, address);
      if (place.refusal) return refusal.refuse(place.refusal);
      try {
        return await comeIn(request, kind, newcomer);
      } catch (error) {
        place.giveBack(error instanceof ConnectError && error.code === Code.Unauthenticated);
        throw error;
      }
    },
  };

  async function comeIn(request: StreamRequest, kind: Kind, newcomer: Newcomer): Promise<AdmittedStream> {
    const { call, address, raw, waiting } = newcomer;
    const who = await callers.identify(call, address);
    await rations.takeForUser(kind, who, refusals(call, who));
    await callers.check(who, call);

    if (!raw) audit.warnOnce({ method: call.method }, "contextValues is not set: nothing can be reset");
    const admitted = createAdmittedStream(describe(call, who, kind), who, raw, (error) => {
      audit.failure(error, `the handler of ${call.method} failed after its client was put out`);
    });
    const leavePlace = await register(admitted, call, waiting, registration);
    admitted.gone.then(() => {
      leavePlace();
      parts.released(admitted);
    });
    request.contextValues.set(admittedStreamKey, admitted);
    parts.away.came(admitted);
    audit.admitted();
    expireInTime(admitted, parts);
    return admitted;
  }
}

/** Streams are numbered in the order in which they came. */
function createDescriptions(bouncer: string, clock: Clock) {
  let streams = 0;
  return ({ method, peer }: IncomingCall, who: Who, kind: Kind): Stream => {
    const { user, session, device, tags } = who;
    const id = `${bouncer}-${++streams}`;
    const since = new Date(clock.now());
    return { id, user, session, device, tags, method, controlStream: kind === "control-stream", peer, since };
  };
}

function expireInTime(admitted: AdmittedStream, { clock, audit, expire }: AdmissionParts): void {
  atExpiry(admitted, { clock, aheadMs: 0 }, async () => {
    try {
      await expire(admitted.stream.id);
    } catch (error) {
      audit.failure(error, "a stream could not be expired");
      throw error;
    }
  });
}
