import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { AdminService } from "../gen/farewell/v1/admin_pb.js";
import { SessionService } from "../gen/farewell/v1/session_pb.js";
import { fullBucket, type RateLimit, take } from "../rate-limit.js";
import type { Arrival } from "./arrivals.js";
import { judge } from "./door.js";
import { goodbyeOf } from "./goodbye.js";
import type { House } from "./house.js";
import { identityKey, type Who, whoIs } from "./identity.js";
import { type Line, lineOf, rawKey } from "./line.js";
import { keysOf, type Selector } from "./selector.js";
import { type Ledger, reserve } from "./slots.js";
import type { Awaitable, Words } from "./store.js";
import { createVisit, type Stream, type Visit, visitKey } from "./visit.js";

/** What the door has others do. */
interface Orders {
  /** A session has lost its place to a newcomer. */
  supersede(loser: Selector, by: string | undefined): Promise<unknown>;
  /** The credentials of this stream have ended. */
  expire(stream: string): Promise<unknown>;
}

/** Everything between a call's arrival and its handler. What costs least comes first. */
export function createAdmission(house: House, { supersede, expire }: Orders): Interceptor {
  const { name, settings, registry, arrivals, journal, clock } = house;
  const { store, identify, logins, perUser, perAddress, acceptPerSecond, clockSkewMs } = settings;
  const capacity = acceptPerSecond === undefined ? undefined : capacityFor(acceptPerSecond);
  let bucket = capacity && fullBucket(capacity, clock.now());
  let ledger: Ledger = { freeAt: 0 };
  let streams = 0;

  return (next) => async (request) => {
    if (request.service.typeName === AdminService.typeName) return next(request); // it has a door of its own
    const raw = request.contextValues.get(rawKey);
    const line = raw && lineOf(raw);
    if (!request.stream) {
      const who = await identified(request, line?.peer);
      await standing(who, request, line?.peer); // not inside: it will be over by itself
      return next(request);
    }
    const arrival = arrivals.enter();
    let visit: Visit;
    try {
      visit = await admit(request, line, arrival);
    } finally {
      arrival.leave();
    }
    return visit.run(next, request);
  };

  async function admit(request: StreamRequest, line: Line | undefined, arrival: Arrival): Promise<Visit> {
    const beside = request.service.typeName === SessionService.typeName; // a companion comes with another stream
    const refuse = refuser(request, line?.peer);
    if (house.closing) refuse(house.closing());
    if (!beside) accept(refuse);
    const who = await identified(request, line?.peer);
    await ration(who, beside ? "companion:" : "", refuse);
    await standing(who, request, line?.peer);

    const visit = createVisit(streamFor(request, who, line, beside), who, line, (error) => {
      journal.failure(error, `the handler of ${nameOf(request)} failed after its client was put out`);
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
      await standing(who, request, line?.peer); // again: what was decided since is seen here, or finds the visit
      generation = await place(visit, refuse);
      if (visit.life.aborted) throw new ConnectError("the client has left", Code.Canceled);
      if (visit.goodbye) throw visit.goodbye;
      if (house.closing) refuse(house.closing());
    } catch (error) {
      release();
      visit.refuse();
      throw error;
    }
    inside = true;
    request.contextValues.set(visitKey, visit);
    journal.admitted();
    if (who.expiresAt !== undefined) {
      clock.sleep(Math.max(1, who.expiresAt - clock.now()), visit.life).then(
        () => void expire(visit.stream.id).catch((error) => journal.failure(error, "a stream could not be expired")),
        () => {}, // it is gone
      );
    }
    return visit;
  }

  function streamFor(request: StreamRequest, who: Who, line: Line | undefined, companion: boolean): Stream {
    const { user, session, device, tags } = who;
    const id = `${name}-${++streams}`;
    const since = new Date(clock.now());
    return { id, user, session, device, tags, method: nameOf(request), companion, peer: line?.peer, since };
  }

  /** Lets in no more than the server takes in a second; who is one too many gets the next free ticket. */
  function accept(refuse: (words: Words) => never): void {
    if (!capacity || !bucket) return;
    const now = clock.now();
    const taken = take(capacity, bucket, now);
    if (taken.at <= now) {
      bucket = taken.bucket;
      return;
    }
    const ticket = reserve(ledger, taken.at, acceptPerSecond as number);
    ledger = ticket.ledger;
    refuse({
      reason: "throttled",
      retryAt: new Date(Math.ceil(ticket.at)),
      reserved: true,
      message: "too many at once",
    });
  }

  /** `kind`: companions have a budget of their own. */
  async function ration({ user, address }: Who, kind: string, refuse: (words: Words) => never): Promise<void> {
    const take = async (limit: RateLimit | undefined, key: string, message: string) => {
      const waitMs = limit && (await asked(() => store.take(limit, key), refuse));
      if (waitMs !== undefined) refuse({ reason: "throttled", retryAt: new Date(clock.now() + waitMs), message });
    };
    if (address !== undefined)
      await take(perAddress, `${kind}address:${address}`, "too many streams from this address");
    if (user !== undefined) await take(perUser, `${kind}user:${user}`, "too many streams of this user");
  }

  async function identified(request: StreamRequest | UnaryRequest, peer: string | undefined): Promise<Who> {
    const { header, contextValues, signal } = request;
    const call = { method: nameOf(request), header, peer, contextValues, signal };
    try {
      const identity = await identify(call);
      contextValues.set(identityKey, identity);
      return whoIs(identity, call);
    } catch (error) {
      if (!isStatus(error)) journal.failure(error, "identify failed");
      throw error;
    }
  }

  /** Refuses whom something is held against. */
  async function standing(who: Who, request: StreamRequest | UnaryRequest, peer: string | undefined): Promise<void> {
    const refuse = refuser(request, peer, who);
    const now = clock.now();
    const holds = await asked(() => store.standing(keysOf(who), now), refuse);
    const epoch = who.user === undefined ? undefined : await asked(() => store.epoch(who.user as string), refuse);
    const found = judge(who, holds, epoch, now, clockSkewMs);
    if (!found) return;
    const { hold, words } = found;
    if (hold?.once) await asked(() => store.spend(hold), refuse);
    refuse(words);
  }

  /** Takes a place among the user's logins, if these are limited. Answers with its generation. */
  async function place({ who, stream }: Visit, refuse: (words: Words) => never): Promise<number | undefined> {
    const { user, label } = who;
    if (!logins || user === undefined) return undefined;
    const session = placeOf(who, stream);
    const claim = { user, session, device: who.device ?? session, label, ...logins, now: clock.now() };
    const ruling = await asked(() => store.login(claim), refuse);
    if (!ruling.admitted) return refuse({ reason: "superseded", by: ruling.by, message: "signed in elsewhere" });
    for (const loser of ruling.losers) {
      supersede({ user, ...JSON.parse(loser) }, label).catch((error) =>
        journal.failure(error, "a session could not be superseded"),
      );
    }
    return ruling.generation;
  }

  function vacate({ who, stream }: Visit, generation: number): void {
    const leaving = async () => {
      await store.logout(who.user as string, placeOf(who, stream), generation, clock.now());
    };
    leaving().catch((error) => journal.failure(error, "the store failed at a logout"));
  }

  /** An answer of the store's. Where there is none nobody is let in, and nobody is told that it is their fault. */
  async function asked<T>(question: () => Awaitable<T>, refuse: (words: Words) => never): Promise<T> {
    try {
      return await question();
    } catch (error) {
      journal.failure(error, "the store failed at the door");
      return refuse({ reason: "maintenance", message: "temporarily unavailable" });
    }
  }

  function refuser(request: StreamRequest | UnaryRequest, peer: string | undefined, who?: Who) {
    return (words: Words): never => {
      journal.refusal(words, { method: nameOf(request), peer, user: who?.user, session: who?.session });
      throw goodbyeOf(words, clock.now());
    };
  }
}

/** A second's worth at once, or one. */
function capacityFor(perSecond: number): RateLimit {
  const burst = Math.max(1, perSecond);
  return { burst, perMs: (burst / perSecond) * 1_000 };
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
