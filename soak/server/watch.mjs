/** What must hold on a server at every moment, and what it holds once nothing goes on. */
export function createWatch(bouncer, running, violation) {
  const barred = new Set();
  const revoked = new Map(); // user to the time at which the verdict was carried out
  let released = 0;
  bouncer.onRelease(() => void released++);

  const timer = setInterval(() => {
    for (const user of barred) {
      const inside = bouncer.list({ user });
      if (inside.length > 0)
        violation(`${user} is banned and has ${inside.length} streams inside: ${inside[0].method}`);
    }
    for (const [user, at] of revoked) {
      const before = bouncer.list({ user }).filter(({ since }) => since.getTime() < at);
      if (before.length > 0) violation(`${user} was revoked and has ${before.length} streams of before inside`);
    }
  }, 500);

  return {
    barred: (user, is) => (is ? barred.add(user) : barred.delete(user)),
    revoked: (user, at) => revoked.set(user, at),
    welcome: (user) => revoked.delete(user),
    /** What each user has: streams and control streams in the registry, handlers that are not there, and streams without one. */
    survey() {
      const users = {};
      const of = (user) => {
        users[user] ??= { streams: 0, controlStreams: 0, unknown: 0, idle: 0 };
        return users[user];
      };
      const inside = bouncer.list();
      const ids = new Set(inside.map(({ id }) => id));
      for (const { id, user, controlStream } of inside) {
        of(user)[controlStream ? "controlStreams" : "streams"]++;
        if (!controlStream && !running.has(id)) of(user).idle++;
      }
      for (const [id, user] of running) if (!ids.has(id)) of(user).unknown++;
      const { admitted, draining } = bouncer.stats();
      const balanced = admitted - released === inside.length;
      const sums = `${admitted} were let in, ${released} released, ${inside.length} are inside`;
      return { users, fault: draining ? "it drains" : balanced ? undefined : sums };
    },
    stop: () => clearInterval(timer),
  };
}
