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

  function companionsOf({ who }: Visit): readonly Visit[] {
    const { session } = who;
    if (session === undefined) return [];
    return registry.find({ session }).filter((other) => posts.has(other) && other.who.user === who.user);
  }

  return {
    open(visit, post) {
      posts.set(visit, post);
      return () => void posts.delete(visit);
    },
    of: (visits) => (posts.size === 0 ? [] : [...new Set(visits.flatMap(companionsOf))]),
    post(companions, event) {
      for (const companion of companions) posts.get(companion)?.(event);
      return companions.length;
    },
  };
}
