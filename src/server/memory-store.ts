import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { numberIn, objectOf } from "../invalid.js";
import type { RateLimit } from "../rate-limit.js";
import type { Claim, Entry, Epoch, Hold, Ruling, Store } from "./store.js";

/** A session that has a place, or had one: its generation says who came later, also after it has left. */
interface Login {
  readonly generation: number;
  readonly device: string;
  readonly label: string | undefined;
  readonly streams: number;
  readonly leftAt: number;
}

/**
 * Remembers in this process, until it ends. Several bouncers may share one.
 *
 * @param options `rememberLoginsMs`: how long a session that has left keeps its place in the order of logins, so that
 *   one that lost it while it was away does not take it back; @default 3_600_000
 * @throws TypeError that names the option
 */
export function memoryStore(options: { readonly rememberLoginsMs?: number } = {}): Store {
  const { rememberLoginsMs = 3_600_000 } = objectOf("options", options, ["rememberLoginsMs"]);
  const keepMs = numberIn("options.rememberLoginsMs", rememberLoginsMs, 0);
  const holds = new Map<string, readonly Hold[]>();
  const epochs = new Map<string, Epoch>();
  const logins = new Map<string, Map<string, Login>>();
  const limiters = new Map<RateLimit, RateLimiterMemory>();
  const listeners = new Set<(entry: Entry) => void>();
  let generations = 0;
  let sweepAt = 1_000; // when so many keys are held, or users known, those that are over are looked for

  function counting(key: string, now: number): readonly Hold[] {
    const all = holds.get(key) ?? [];
    const left = all.filter(({ until }) => until === undefined || now < until);
    if (left.length < all.length) keep(key, left);
    return left;
  }

  /** The newer word about the same thing replaces the older one. */
  function add(hold: Hold, now: number): void {
    const { key, words } = hold;
    keep(key, [...counting(key, now).filter((old) => old.words.reason !== words.reason), hold]);
  }

  function keep(key: string, left: readonly Hold[]): void {
    if (left.length > 0) holds.set(key, left);
    else holds.delete(key);
  }

  function sweep(now: number): void {
    if (holds.size + logins.size < sweepAt) return;
    for (const key of [...holds.keys()]) counting(key, now);
    for (const [user, sessions] of logins) forget(user, sessions, now);
    sweepAt = Math.max(1_000, 2 * (holds.size + logins.size)); // so that the cost is constant for each that came
  }

  function forget(user: string, sessions: Map<string, Login>, now: number): void {
    for (const [session, { streams, leftAt }] of sessions) {
      if (streams === 0 && leftAt + keepMs <= now) sessions.delete(session);
    }
    if (sessions.size === 0) logins.delete(user);
  }

  return {
    record(entry) {
      const { verdict, revokes } = entry;
      const now = verdict.at.getTime();
      sweep(now);
      for (const hold of entry.holds) add(hold, now);
      const epoch = revokes === undefined ? undefined : (epochs.get(revokes)?.number ?? 0) + 1;
      if (revokes !== undefined && epoch !== undefined) epochs.set(revokes, { number: epoch, revokedAt: now });
      for (const listener of [...listeners]) listener(entry);
      return epoch;
    },
    hold: add,
    standing: (keys, now) => (holds.size === 0 ? [] : keys.flatMap((key) => counting(key, now))),
    spend(hold) {
      keep(
        hold.key,
        (holds.get(hold.key) ?? []).filter((other) => other !== hold),
      );
    },
    lift(key, now) {
      const all = counting(key, now);
      const left = all.filter(({ words }) => words.reason !== "banned");
      keep(key, left);
      return left.length < all.length;
    },
    epoch: (user) => epochs.get(user),
    login(claim) {
      const { user, session, device, label, now } = claim;
      sweep(now);
      const sessions = logins.get(user) ?? new Map<string, Login>();
      forget(user, sessions, now);
      const known = sessions.get(session);
      const generation = known?.generation ?? ++generations;
      const ruling = rule(sessions, claim, generation);
      if (ruling.admitted) {
        sessions.set(session, { generation, device, label, streams: (known?.streams ?? 0) + 1, leftAt: now });
        logins.set(user, sessions);
      }
      return ruling;
    },
    logout(user, session, generation, now) {
      const sessions = logins.get(user);
      const known = sessions?.get(session);
      if (known?.generation !== generation) return;
      sessions?.set(session, { ...known, streams: Math.max(0, known.streams - 1), leftAt: now });
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
function rule(sessions: ReadonlyMap<string, Login>, claim: Claim, generation: number): Ruling {
  const { session, device, max, whenFull } = claim;
  const devices = new Map<string, { newest: number; label: string | undefined }>();
  for (const login of sessions.values()) {
    const { newest } = devices.get(login.device) ?? { newest: 0 };
    if (login.streams > 0 && login.generation > newest) {
      devices.set(login.device, { newest: login.generation, label: login.label });
    }
  }
  if (devices.has(device) && (devices.get(device)?.newest ?? 0) >= generation) {
    return { admitted: true, generation, losers: [] }; // on a device that is inside already
  }
  const inside = devices.has(device);
  devices.delete(device);
  const others = [...devices.entries()].sort(([, a], [, b]) => b.newest - a.newest);
  if (whenFull === "oldest-wins") {
    if (inside || others.length < max) return { admitted: true, generation, losers: [] };
    return { admitted: false, by: others.at(-1)?.[1].label };
  }
  const newer = others.filter(([, { newest }]) => newest > generation);
  if (newer.length >= max) return { admitted: false, by: newer[0]?.[1].label };
  const lost = new Set(others.slice(max - 1).map(([name]) => name));
  const losers = [...sessions.entries()].filter(
    ([name, login]) => name !== session && login.streams > 0 && lost.has(login.device),
  );
  return { admitted: true, generation, losers: losers.map(([name]) => name) };
}
