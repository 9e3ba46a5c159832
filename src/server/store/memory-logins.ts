import { decideLogin, type Login } from "./login-rule.js";
import { createRecent } from "./recent.js";
import type { LoginRequest, LoginResult } from "./store.js";

/** So many sessions of one user that have left are remembered, so that nobody can fill the memory with names. */
const mostAbsent = 100;

/** Of so many users at most, all of whose sessions have left, and of the latest half for certain. The others have never come. */
const mostAbsentUsers = 100_000;

/** The logins of all users, in memory. */
export interface MemoryLogins {
  /** How many users are known. */
  readonly size: number;
  login(request: LoginRequest): LoginResult;
  logout(user: string, session: string, generation: number, now: number): void;
  sweep(now: number): void;
}

/** @param keepMs how long a session that has left keeps its place in the order of logins */
export function createMemoryLogins(keepMs: number): MemoryLogins {
  const byUser = new Map<string, Map<string, Login>>();
  const absentUsers = createRecent<true>(mostAbsentUsers, (user) => void byUser.delete(user));
  let generations = 0;

  function forget(user: string, sessions: Map<string, Login>, now: number): void {
    let absent = 0;
    for (const { streams } of sessions.values()) if (streams === 0) absent++;
    for (const [session, { streams, seenAt }] of sessions) {
      if (streams > 0 || (absent <= mostAbsent && now < seenAt + keepMs)) continue;
      sessions.delete(session);
      absent--;
    }
    if (sessions.size === 0) {
      byUser.delete(user);
      absentUsers.delete(user);
    }
  }

  /** Takes note that a user has nobody inside any more. */
  function leave(user: string, sessions: ReadonlyMap<string, Login>): void {
    if ([...sessions.values()].some(({ streams }) => streams > 0)) return;
    absentUsers.set(user, true);
  }

  return {
    get size() {
      return byUser.size;
    },
    login(request) {
      const { user, session, device, label, now } = request;
      const sessions = byUser.get(user) ?? new Map<string, Login>();
      forget(user, sessions, now);
      const known = sessions.get(session);
      const generation = known?.generation ?? ++generations;
      const result = decideLogin(sessions, request, generation);
      if (result.admitted) {
        const streams = (known?.streams ?? 0) + 1;
        see(sessions, session, { generation, device, label, streams, seenAt: now, lost: false });
        lose(sessions, result.losers);
        byUser.set(user, sessions);
        absentUsers.delete(user);
      } else if (known) see(sessions, session, { ...known, seenAt: now }); // it knocks: it is not to be forgotten
      return result;
    },
    logout(user, session, generation, now) {
      const sessions = byUser.get(user);
      const known = sessions?.get(session);
      if (!sessions || known?.generation !== generation) return;
      see(sessions, session, { ...known, streams: Math.max(0, known.streams - 1), seenAt: now });
      leave(user, sessions);
    },
    sweep(now) {
      for (const [user, sessions] of byUser) forget(user, sessions, now);
    },
  };
}

/** Last in the order in which sessions are forgotten. */
function see(sessions: Map<string, Login>, session: string, login: Login): void {
  sessions.delete(session);
  sessions.set(session, login);
}

function lose(sessions: Map<string, Login>, losers: readonly string[]): void {
  for (const loser of losers) {
    const login = sessions.get(loser);
    if (login) sessions.set(loser, { ...login, lost: true });
  }
}
