import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { numberIn, objectOf } from "../../check/invalid.js";
import type { RateLimit } from "../../policy/rate-limit.js";
import type { Epoch, LoginRequest, LoginResult, Recorded, Restriction, Store } from "./store.js";

/** A session that has a place, or had one: its generation says who came later, also after it has left. */
interface Login {
  readonly generation: number;
  readonly device: string;
  readonly label: string | undefined;
  readonly streams: number;
  /** When it was last heard of. */
  readonly seenAt: number;
  /** Another one has its place; its streams are on their way out. */
  readonly lost: boolean;
}

/** So many sessions of one user that have left are remembered, so that nobody can fill the memory with names. */
const mostAbsent = 100;

/**
 * Remembers in this process, until it ends. Several bouncers may share one.
 *
 * @param options `rememberLoginsMs`: how long a session that has left keeps its place in the order of logins, so that
 *   one that lost it while it was away does not take it back; @default 86_400_000
 * @throws TypeError that names the option
 */
export function memoryStore(options: { readonly rememberLoginsMs?: number } = {}): Store {
  const { rememberLoginsMs = 86_400_000 } = objectOf("options", options, ["rememberLoginsMs"]);
  const keepMs = numberIn("options.rememberLoginsMs", rememberLoginsMs, 0);
  const restrictions = new Map<string, readonly Restriction[]>();
  const epochs = new Map<string, Epoch>();
  const logins = new Map<string, Map<string, Login>>();
  const limiters = new Map<RateLimit, RateLimiterMemory>();
  const listeners = new Set<(entry: Recorded) => void>();
  let generations = 0;
  let sweepAt = 1_000; // when so many keys are held, or users known, those that are over are looked for

  function counting(key: string, now: number): readonly Restriction[] {
    const all = restrictions.get(key) ?? [];
    const left = all.filter(({ until }) => until === undefined || now < until);
    if (left.length < all.length) keep(key, left);
    return left;
  }

  /** The newer word about the same thing replaces the older one. */
  function add(restriction: Restriction, now: number): void {
    const { key, words } = restriction;
    keep(key, [...counting(key, now).filter((old) => old.words.reason !== words.reason), restriction]);
  }

  function keep(key: string, left: readonly Restriction[]): void {
    if (left.length > 0) restrictions.set(key, left);
    else restrictions.delete(key);
  }

  function sweep(now: number): void {
    if (restrictions.size + logins.size < sweepAt) return;
    for (const key of [...restrictions.keys()]) counting(key, now);
    for (const [user, sessions] of logins) forget(user, sessions, now);
    sweepAt = Math.max(1_000, 2 * (restrictions.size + logins.size)); // so that the cost is constant for each that came
  }

  function forget(user: string, sessions: Map<string, Login>, now: number): void {
    let absent = 0;
    for (const { streams } of sessions.values()) if (streams === 0) absent++;
    for (const [session, { streams, seenAt }] of sessions) {
      if (streams > 0 || (absent <= mostAbsent && now < seenAt + keepMs)) continue;
      sessions.delete(session);
      absent--;
    }
    if (sessions.size === 0) logins.delete(user);
  }

  /** Last in the order in which sessions are forgotten. */
  function see(sessions: Map<string, Login>, session: string, login: Login): void {
    sessions.delete(session);
    sessions.set(session, login);
  }

  return {
    record(entry) {
      const { verdict, revokes } = entry;
      const now = verdict.at.getTime();
      sweep(now);
      for (const restriction of entry.restrictions) add(restriction, now);
      const epoch = revokes === undefined ? undefined : (epochs.get(revokes)?.number ?? 0) + 1;
      if (revokes !== undefined && epoch !== undefined) epochs.set(revokes, { number: epoch, revokedAt: now });
      for (const listener of [...listeners]) {
        try {
          listener({ ...entry, epoch });
        } catch (error) {
          console.error(error); // the entry is written, whoever cannot take it
        }
      }
      return epoch;
    },
    restrict: add,
    restrictions: (keys, now) => (restrictions.size === 0 ? [] : keys.flatMap((key) => counting(key, now))),
    consume(restriction) {
      keep(
        restriction.key,
        (restrictions.get(restriction.key) ?? []).filter((other) => other !== restriction),
      );
    },
    lift(key, now) {
      const all = counting(key, now);
      const left = all.filter(({ words }) => words.reason !== "banned" && words.reason !== "throttled");
      keep(key, left);
      return left.length < all.length;
    },
    epoch: (user) => epochs.get(user),
    login(request) {
      const { user, session, device, label, now } = request;
      sweep(now);
      const sessions = logins.get(user) ?? new Map<string, Login>();
      forget(user, sessions, now);
      const known = sessions.get(session);
      const generation = known?.generation ?? ++generations;
      const result = rule(sessions, request, generation);
      if (result.admitted) {
        const streams = (known?.streams ?? 0) + 1;
        see(sessions, session, { generation, device, label, streams, seenAt: now, lost: false });
        for (const loser of result.losers) sessions.set(loser, { ...(sessions.get(loser) as Login), lost: true });
        logins.set(user, sessions);
      } else if (known) see(sessions, session, { ...known, seenAt: now }); // it knocks: it is not to be forgotten
      return result;
    },
    logout(user, session, generation, now) {
      const sessions = logins.get(user);
      const known = sessions?.get(session);
      if (!sessions || known?.generation !== generation) return;
      see(sessions, session, { ...known, streams: Math.max(0, known.streams - 1), seenAt: now });
    },
    async take(limit, key) {
      let limiter = limiters.get(limit);
      if (!limiter) {
        limiter = new RateLimiterMemory({ points: limit.burst, duration: limit.perMs / 1000 });
        limiters.set(limit, limiter);
      }
      try {
        await limiter.consume(key);
        return undefined;
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext);
        throw refusal;
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Who has a place, if this session comes in with this generation. Devices count, not sessions. Pure. */
function rule(sessions: ReadonlyMap<string, Login>, request: LoginRequest, generation: number): LoginResult {
  const { session, device, max, whenFull } = request;
  const present = [...sessions].filter(([, { streams, lost }]) => streams > 0 && !lost);
  const devices = new Map<string, Login>(); // each by its newest session
  for (const [, login] of present) {
    if (login.generation > (devices.get(login.device)?.generation ?? 0)) devices.set(login.device, login);
  }
  const own = devices.get(device);
  devices.delete(device);
  const others = [...devices.values()].sort((a, b) => b.generation - a.generation);
  if (whenFull === "oldest-wins") {
    if (own || others.length < max) return { admitted: true, generation, losers: [] };
    return { admitted: false, by: others.at(-1)?.label };
  }
  const rank = Math.max(generation, own?.generation ?? 0);
  const newer = others.filter((other) => other.generation > rank);
  if (newer.length >= max) return { admitted: false, by: newer[0]?.label };
  const lost = new Set(others.slice(max - 1).map((other) => other.device));
  const losers = present.filter(([name, login]) => name !== session && lost.has(login.device)).map(([name]) => name);
  return { admitted: true, generation, losers };
}
