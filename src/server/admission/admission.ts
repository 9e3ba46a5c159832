import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { AdminService } from "../../gen/farewell/v1/admin_pb.js";
import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import {
  type AdmittedStream,
  admittedStreamKey,
  createAdmittedStream,
  type Stream,
} from "../inside/admitted-stream.js";
import type { PendingCall, PendingCalls } from "../inside/pending.js";
import { type RawStream, rawRequestKey, rawStreamOf } from "../inside/raw-stream.js";
import type { Registry } from "../inside/registry.js";
import type { IncomingCall, Who } from "../who/identity.js";
import type { Selector } from "../who/selector.js";
import { createAcceptor } from "./accept.js";
import { type CallerSettings, createCallers } from "./callers.js";
import type { Closing } from "./closing.js";
import { type Kind, kindOf } from "./kind.js";
import { createLoginPlaces, type LoginSettings } from "./login-place.js";
import { createRations, type RationSettings } from "./rations.js";
import { createRefusals } from "./refusals.js";

/** What admission needs. */
export interface AdmissionParts {
  /** Names this bouncer among those that share a store. */
  readonly name: string;
  readonly settings: AdmissionSettings;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly pending: PendingCalls;
  readonly closing: Closing;
  readonly audit: Audit;
  /** Puts out a session that has lost its place to a newcomer, `by` its label. */
  supersede(loser: Selector, by: string | undefined): Promise<unknown>;
  /** Ends a stream whose credentials have ended. */
  expire(stream: string): Promise<unknown>;
  /** A stream that was inside has left. */
  released(admitted: AdmittedStream): void;
}

/** What the bouncer's options say about admission. */
export interface AdmissionSettings extends CallerSettings, LoginSettings, RationSettings {
  readonly acceptPerSecond: number | undefined;
  readonly windowMs: number | undefined;
}

/** Everything between a call's arrival and its handler. What costs least comes first. */
export function createAdmission(parts: AdmissionParts): Interceptor {
  const { settings, registry, pending, closing, audit, clock } = parts;
  const refusals = createRefusals(audit, clock);
  const callers = createCallers(settings, refusals, audit, clock);
  const rations = createRations(settings, audit, clock);
  const places = createLoginPlaces(settings, parts.supersede, audit, clock);
  const tickets = createTickets(settings, clock);
  const describe = createDescriptions(parts.name, clock);

  return (next) => async (request) => {
    if (request.service.typeName === AdminService.typeName) return next(request); // it has a door of its own
    const rawRequest = request.contextValues.get(rawRequestKey);
    const raw = rawRequest && rawStreamOf(rawRequest);
    if (!request.stream) {
      const call = callOf(request, raw?.peer);
      await callers.check(await callers.identify(call), call); // not inside: it will be over by itself
      return next(request);
    }
    const waiting = pending.enter();
    let admitted: AdmittedStream;
    try {
      admitted = await admit(request, raw, waiting);
    } finally {
      waiting.leave();
    }
    return admitted.run(next, request);
  };

  async function admit(
    request: StreamRequest,
    raw: RawStream | undefined,
    waiting: PendingCall,
  ): Promise<AdmittedStream> {
    const kind = kindOf(request);
    const call = callOf(request, raw?.peer);
    const refusal = refusals(call);
    if (closing.closed) raw?.retire();
    const away = closing.words() ?? tickets(kind);
    if (away) refusal.refuse(away);
    await rations.takeForAddress(kind, call, refusal);
    const who = await callers.identify(call);
    await rations.takeForUser(kind, who, refusal);
    await callers.check(who, call);

    if (!raw) audit.warnOnce({ method: call.method }, "contextValues is not set: nothing can be reset");
    const admitted = createAdmittedStream(describe(call, who, kind), who, raw, (error) => {
      audit.failure(error, `the handler of ${call.method} failed after its client was put out`);
    });
    const leavePlace = await letIn(admitted, call, waiting);
    admitted.gone.then(() => {
      leavePlace();
      parts.released(admitted);
    });
    request.contextValues.set(admittedStreamKey, admitted);
    audit.admitted();
    expireInTime(admitted);
    return admitted;
  }

  /** Registers it, looks again at what has changed since it came, and takes its place. Answers with how to leave that. */
  async function letIn(admitted: AdmittedStream, call: IncomingCall, waiting: PendingCall): Promise<() => void> {
    const { who, stream } = admitted;
    const refusal = refusals(call);
    registry.add(admitted);
    admitted.gone.then(() => registry.remove(admitted));
    try {
      const missed = waiting.missed(who, stream.id);
      if (missed) refusal.refuse(missed.words);
      await callers.check(who, call); // what was decided since is seen here, or finds the stream
      const leavePlace = stream.controlStream ? () => {} : await places.take(admitted, refusal);
      try {
        if (admitted.life.aborted) throw new ConnectError("the client has left", Code.Canceled);
        if (admitted.goodbye) throw admitted.goodbye;
        const away = closing.words();
        if (away) refusal.refuse(away);
        return leavePlace;
      } catch (error) {
        leavePlace();
        throw error;
      }
    } catch (error) {
      registry.remove(admitted);
      admitted.refuse();
      throw error;
    }
  }

  function expireInTime({ who: { expiresAt }, stream, life }: AdmittedStream): void {
    if (expiresAt === undefined) return;
    clock.sleep(Math.max(1, expiresAt - clock.now()), life).then(
      () => void parts.expire(stream.id).catch((error) => audit.failure(error, "a stream could not be expired")),
      () => {}, // it is gone
    );
  }
}

/** How far ahead tickets are given out, at least. */
const horizonMs = 60_000;

/** What who is one too many is refused with, if the server takes only so many in a second. */
function createTickets({ acceptPerSecond, windowMs = 0 }: AdmissionSettings, clock: Clock) {
  if (acceptPerSecond === undefined) return () => undefined;
  const acceptor = () => createAcceptor(acceptPerSecond, Math.max(windowMs, horizonMs), clock.now());
  const accept = { stream: acceptor(), "control-stream": acceptor() } satisfies { readonly [K in Kind]: unknown };
  return (kind: Kind) => {
    const ticket = accept[kind](clock.now(), clock.random());
    if (!ticket) return undefined;
    const { at, reserved } = ticket;
    return { reason: "throttled", retryAt: new Date(at), reserved, message: "too many at once" } as const;
  };
}

/** Streams are numbered in the order in which they came. */
function createDescriptions(name: string, clock: Clock) {
  let streams = 0;
  return ({ method, peer }: IncomingCall, who: Who, kind: Kind): Stream => {
    const { user, session, device, tags } = who;
    const id = `${name}-${++streams}`;
    const since = new Date(clock.now());
    return { id, user, session, device, tags, method, controlStream: kind === "control-stream", peer, since };
  };
}

function callOf(request: StreamRequest | UnaryRequest, peer: string | undefined): IncomingCall {
  const { service, method, header, contextValues, signal } = request;
  return { method: `${service.typeName}/${method.name}`, header, peer, contextValues, signal };
}
