import type { LoginRequest, LoginResult } from "./store.js";

/** A session that has a place, or had one: its generation says who came later, also after it has left. */
export interface Login {
  readonly generation: number;
  readonly device: string;
  readonly label: string | undefined;
  /** How many of its streams are inside. */
  readonly streams: number;
  /** When it was last heard of; epoch ms. */
  readonly seenAt: number;
  /** Another one has its place; its streams are on their way out. */
  readonly lost: boolean;
}

/** Who has a place, if this session comes in with this generation. Devices count, not sessions. Pure. */
export function decideLogin(
  sessions: ReadonlyMap<string, Login>,
  { session, device, max, whenFull }: LoginRequest,
  generation: number,
): LoginResult {
  const present = [...sessions].filter(([, { streams, lost }]) => streams > 0 && !lost);
  const newest = newestOfEachDevice(present.map(([, login]) => login));
  const own = newest.get(device);
  const others = [...newest.values()].filter((login) => login !== own).sort((a, b) => b.generation - a.generation);
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

/** A device is as old as its newest session. */
function newestOfEachDevice(logins: readonly Login[]): ReadonlyMap<string, Login> {
  const newest = new Map<string, Login>();
  for (const login of logins) {
    if (login.generation > (newest.get(login.device)?.generation ?? 0)) newest.set(login.device, login);
  }
  return newest;
}
