import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { AdminService } from "../../gen/farewell/v1/admin_pb.js";
import { ControlStreamService } from "../../gen/farewell/v1/control_stream_pb.js";
import type { RateLimit } from "../../policy/rate-limit.js";
import type { House } from "../house.js";
import {
  type AdmittedStream,
  admittedStreamKey,
  createAdmittedStream,
  type Stream,
} from "../inside/admitted-stream.js";
import type { PendingCall } from "../inside/pending.js";
import { type RawStream, rawRequestKey, rawStreamOf } from "../inside/raw-stream.js";
import type { Awaitable, Words } from "../store/store.js";
import { type IncomingCall, identityKey, type Who, whoIs } from "../who/identity.js";
import { keysOf, type Selector } from "../who/selector.js";
import { goodbyeOf } from "../words/goodbye.js";
import { createAcceptor, networkOf } from "./accept.js";
import { judge } from "./judge.js";

/** What the door has others do. */
interface Orders {
  /** A session has lost its place to a newcomer. */
  supersede(loser: Selector, by: string | undefined): Promise<unknown>;
  /** The credentials of this stream have ended. */
  expire(stream: string): Promise<unknown>;
}

/** How far ahead the door gives out tickets, at least. */
const horizonMs = 60_000;

/** Everything between a call's arrival and its handler. What costs least comes first. */
export function createAdmission(house: House, { supersede, expire }: Orders): Interceptor {
  const { name, settings, registry, pending, audit, clock } = house;
  const {
    store,
    identify,
    logins,
    perUser,
    perAddress,
    addressOf,
    acceptPerSecond,
    windowMs = 0,
    clockSkewMs,
  } = settings;
  const acceptor = () => createAcceptor(acceptPerSecond ?? Infinity, Math.max(windowMs, horizonMs), clock.now());
  // ControlStreams come beside other streams, and have budgets of their own.
  const accept = acceptPerSecond === undefined ? undefined : { stream: acceptor(), "control-stream": acceptor() };
  let streams = 0;
  // Told once each.
  let missesAddresses = false;
  let lineless = false;
  let undated = false;

  return (next) => async (request) => {
    if (request.service.typeName === AdminService.typeName) return next(request); // it has a door of its own
    const raw = request.contextValues.get(rawRequestKey);
    const line = raw && rawStreamOf(raw);
    if (!request.stream) {
      const call = callOf(request, line?.peer);
      await standing(await identified(call), call); // not inside: it will be over by itself
      return next(request);
    }
    const arrival = pending.enter();
    let visit: AdmittedStream;
    try {
      visit = await admit(request, line, arrival);
    } finally {
      arrival.leave();
    }
    return visit.run(next, request);
  };

  async function admit(
    request: StreamRequest,
    line: RawStream | undefined,
    arrival: PendingCall,
  ): Promise<AdmittedStream> {
    const kind = request.service.typeName === ControlStreamService.typeName ? "control-stream" : "stream";
    const call = callOf(request, line?.peer);
    const refuse = refuser(call);
    if (house.closing) {
      line?.retire();
      refuse(house.closing());
    }
    const ticket = accept?.[kind](clock.now(), clock.random());
    if (ticket) {
      const { at, reserved } = ticket;
      refuse({ reason: "throttled", retryAt: new Date(at), reserved, message: "too many at once" });
    }
    const address = perAddress && addressFor(call);
    if (perAddress && address !== undefined) {
      await ration(perAddress, `${kind}:address:${address}`, "too many streams from this address", refuse);
    }
    const who = await identified(call);
    if (perUser && who.user !== undefined) {
      await ration(perUser, `${kind}:user:${who.user}`, "too many streams of this user", refuse);
    }
    await standing(who, call);

    if (!line && !lineless) audit.warn({ method: call.method }, "contextValues is not set: nothing can be reset");
    lineless ||= !line;
    const visit = createAdmittedStream(streamFor(call, who, kind), who, line, (error) => {
      audit.failure(error, `the handler of ${nameOf(request)} failed after its client was put out`);
    });
    registry.add(visit);
    let generation: number | undefined;
    let inside = false;
    const release = () => {
      registry.remove(visit);
      if (generation !== undefined) vacate(visit, generation);
      generation = undefined;
      if (inside) house.released(visit);
    };
    visit.gone.then(release);
    try {
      const missed = arrival.missed(who, visit.stream.id);
      if (missed) refuse(missed.words);
      await standing(who, call); // again: what was decided since is seen here, or finds the visit
      if (kind === "stream") generation = await place(visit, refuse);
      if (visit.life.aborted) throw new ConnectError("the client has left", Code.Canceled);
      if (visit.goodbye) throw visit.goodbye;
      if (house.closing) refuse(house.closing());
    } catch (error) {
      release();
      visit.refuse();
      throw error;
    }
    inside = true;
    request.contextValues.set(admittedStreamKey, visit);
    audit.admitted();
    if (who.expiresAt !== undefined) {
      clock.sleep(Math.max(1, who.expiresAt - clock.now()), visit.life).then(
        () => void expire(visit.stream.id).catch((error) => audit.failure(error, "a stream could not be expired")),
        () => {}, // it is gone
      );
    }
    return visit;
  }

  function streamFor({ method, peer }: IncomingCall, who: Who, kind: "stream" | "control-stream"): Stream {
    const { user, session, device, tags } = who;
    const id = `${name}-${++streams}`;
    const since = new Date(clock.now());
    return { id, user, session, device, tags, method, controlStream: kind === "control-stream", peer, since };
  }

  function addressFor(call: IncomingCall): string | undefined {
    try {
      const address = addressOf(call);
      if (address !== undefined) return networkOf(address);
    } catch (error) {
      audit.failure(error, "addressOf failed");
      throw error;
    }
    if (!missesAddresses) audit.failure(new Error("is contextValues set?"), "rateLimits.perAddress knows no address");
    missesAddresses = true;
    return undefined;
  }

  async function ration(
    limit: RateLimit,
    key: string,
    message: string,
    refuse: (words: Words) => never,
  ): Promise<void> {
    const waitMs = await asked(() => store.take(limit, key), refuse);
    if (waitMs !== undefined) refuse({ reason: "throttled", retryAt: new Date(clock.now() + waitMs), message });
  }

  async function identified(call: IncomingCall): Promise<Who> {
    try {
      const identity = await identify(call);
      call.contextValues.set(identityKey, identity);
      return whoIs(identity, call);
    } catch (error) {
      if (!isStatus(error)) audit.failure(error, "identify failed");
      throw error;
    }
  }

  /** Refuses whom something is held against. */
  async function standing(who: Who, call: IncomingCall): Promise<void> {
    const refuse = refuser(call, who);
    const now = clock.now();
    const restrictions = await asked(() => store.restrictions(keysOf(who), now), refuse);
    const epoch = who.user === undefined ? undefined : await asked(() => store.epoch(who.user as string), refuse);
    const found = judge(who, restrictions, epoch, now, clockSkewMs);
    if (!found) return;
    const { restriction, words } = found;
    if (!restriction && epoch && who.epoch === undefined && who.issuedAt === undefined && !undated) {
      undated = true;
      audit.failure(
        new Error("identify tells neither epoch nor issuedAt"),
        "a user whose tokens were revoked is refused",
      );
    }
    if (restriction?.once) await asked(() => store.consume(restriction), refuse);
    refuse(words);
  }

  /** Takes a place among the user's logins, if these are limited. Answers with its generation. */
  async function place({ who, stream }: AdmittedStream, refuse: (words: Words) => never): Promise<number | undefined> {
    const { user, label } = who;
    if (!logins || user === undefined) return undefined;
    const session = placeOf(who, stream);
    const claim = { user, session, device: who.device ?? session, label, ...logins, now: clock.now() };
    const ruling = await asked(() => store.login(claim), refuse);
    if (!ruling.admitted) return refuse({ reason: "superseded", by: ruling.by, message: "signed in elsewhere" });
    for (const loser of ruling.losers) {
      supersede({ user, ...JSON.parse(loser) }, label).catch((error) =>
        audit.failure(error, "a session could not be superseded"),
      );
    }
    return ruling.generation;
  }

  function vacate({ who, stream }: AdmittedStream, generation: number): void {
    const leaving = async () => {
      await store.logout(who.user as string, placeOf(who, stream), generation, clock.now());
    };
    leaving().catch((error) => audit.failure(error, "the store failed at a logout"));
  }

  /** An answer of the store's. Where there is none nobody is let in, and nobody is told that it is their fault. */
  async function asked<T>(question: () => Awaitable<T>, refuse: (words: Words) => never): Promise<T> {
    try {
      return await question();
    } catch (error) {
      audit.failure(error, "the store failed at the door");
      return refuse({ reason: "maintenance", message: "temporarily unavailable" });
    }
  }

  function refuser({ method, peer }: IncomingCall, who?: Who) {
    return (words: Words): never => {
      audit.refusal(words, { method, peer, user: who?.user, session: who?.session });
      throw goodbyeOf(words, clock.now());
    };
  }
}

function callOf(request: StreamRequest | UnaryRequest, peer: string | undefined): IncomingCall {
  const { header, contextValues, signal } = request;
  return { method: nameOf(request), header, peer, contextValues, signal };
}

/** What a login is known by, as a part of a selector: without a name of its session's, each stream is a login of its own. */
function placeOf({ session }: Who, { id }: Stream): string {
  return JSON.stringify(session === undefined ? { stream: id } : { session });
}

function nameOf({ service, method }: StreamRequest | UnaryRequest): string {
  return `${service.typeName}/${method.name}`;
}

/** Thrown to tell the client something, in contrast to a defect. */
function isStatus(error: unknown): boolean {
  return error instanceof ConnectError;
}
