import { DrainingError } from "farewell/server";

/** What the orchestrator can have a server do. Each verdict answers with its report. */
export function ordersOf(bouncer, watch) {
  const in_ = (ms) => new Date(Date.now() + ms);
  let opening = new AbortController();
  return {
    kick: ({ user, ...options }) => bouncer.kick({ user }, { code: "soak", message: "put out" }, options),
    async ban({ user, forMs }) {
      const report = await bouncer.ban({ user }, { message: "banned", ...(forMs && { until: in_(forMs) }) });
      if (!forMs) watch.barred(user, true); // one that ends is looked at by the clients alone
      return { ...report, carriedOutAt: Date.now() };
    },
    /** It was born anew, and this ban is from before. */
    bar: ({ user }) => void watch.barred(user, true),
    lift({ user }) {
      watch.barred(user, false);
      return bouncer.lift({ user });
    },
    supersede: ({ user }) => bouncer.supersede({ user }, { by: "somebody else" }),
    async revoke({ user }) {
      const report = await bouncer.revoke(user);
      watch.revoked(user, Date.now() - 1); // its streams of before are gone by now
      return report;
    },
    welcome: ({ user }) => void watch.welcome(user),
    expire: ({ user }) => bouncer.expire({ user }),
    throttle: ({ user, forMs }) => bouncer.throttle({ user }, { retryAt: in_(forMs) }),
    announce: ({ forMs }) => bouncer.announce({ all: true }, { reason: "maintenance" }, in_(forMs)),
    /** Puts out all, and lets newcomers in again when it is over. Where that goes on already, as at the end of the process, it is enough. */
    async drain({ overMs, backMs }) {
      const own = opening;
      try {
        const report = await bouncer.drain({ overMs, backAt: in_(overMs + backMs), signal: own.signal });
        opening = new AbortController();
        own.abort();
        return report;
      } catch (error) {
        if (error instanceof DrainingError) return undefined;
        throw error;
      }
    },
  };
}
