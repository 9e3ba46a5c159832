import type { Event } from "./event-of.js";
import type { Registry } from "./registry.js";
import type { Visit } from "./visit.js";

/** The companion streams that are open, and a way to speak on them. */
export interface Companions {
  /** `post` is called with what is to be said on this visit, which is a companion. Returns the removal. */
  open(visit: Visit, post: (event: Event) => void): () => void;
  /** The companions of the sessions that these visits belong to. */
  of(visits: readonly Visit[]): readonly Visit[];
  /** Speaks on each. Returns how many there were. */
  post(companions: readonly Visit[], event: Event): number;
}

export function createCompanions(registry: Registry): Companions {
  const posts = new Map<Visit, (event: Event) => void>();

  function find(visits: readonly Visit[]): ReadonlySet<Visit> {
    const sessions = new Map<string, Visit["who"]>();
    for (const { who } of visits) {
      if (who.session !== undefined) sessions.set(JSON.stringify([who.user, who.session]), who);
    }
    const found = new Set<Visit>();
    for (const { user, session } of sessions.values()) {
      for (const other of registry.find({ session })) if (posts.has(other) && other.who.user === user) found.add(other);
    }
    return found;
  }

  return {
    open(visit, post) {
      posts.set(visit, post);
      return () => void posts.delete(visit);
    },
    of: (visits) => (posts.size === 0 ? [] : [...find(visits)]),
    post(companions, event) {
      for (const companion of companions) posts.get(companion)?.(event);
      return companions.length;
    },
  };
}
