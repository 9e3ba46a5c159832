/** The streams of one login. `anew`: counted from the start of the server's process; the others go on across processes. */
export const rooms = {
  tick: { intervalMs: 500, bytes: 0 },
  chat: { intervalMs: 50, bytes: 200 },
  anew: { intervalMs: 500, bytes: 0, anew: true },
  slow: { intervalMs: 250, bytes: 2_000, readsEveryMs: 50 },
  talk: { intervalMs: 500, bytes: 0, bidi: true },
};

/** Which rooms a login is in. HTTP/1.1 has no streams in both directions. */
export function roomsOf(index, httpVersion) {
  const last = index % 2 === 0 || httpVersion === "1.1" ? "slow" : "talk";
  return ["tick", "chat", "anew", last];
}
