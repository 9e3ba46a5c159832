import { matches, type Selector } from "../who/selector.js";
import type { AdmittedStream } from "./admitted-stream.js";

/** Who is inside. Each stream removes itself and no other, so that an old teardown cannot remove a new registration. */
export interface Registry {
  readonly size: number;
  add(admitted: AdmittedStream): void;
  remove(admitted: AdmittedStream): void;
  /** In the order in which they came. */
  find(selector: Selector): readonly AdmittedStream[];
  /** How many different users and sessions are inside. */
  counts(): { readonly streams: number; readonly users: number; readonly sessions: number };
}

export function createRegistry(): Registry {
  const byStream = new Map<string, AdmittedStream>();
  const byUser = new Map<string, Set<AdmittedStream>>();
  const bySession = new Map<string, Set<AdmittedStream>>();
  const byTag = new Map<string, Set<AdmittedStream>>();

  function placesOf({ who }: AdmittedStream): readonly (readonly [Map<string, Set<AdmittedStream>>, string])[] {
    const { user, session, tags } = who;
    return [
      ...(user === undefined ? [] : [[byUser, user] as const]),
      ...(session === undefined ? [] : [[bySession, session] as const]),
      ...tags.map((tag) => [byTag, tag] as const),
    ];
  }

  /** The smallest set known to hold all that match. */
  function candidates({ user, session, tag, stream }: Selector): Iterable<AdmittedStream> {
    if (stream !== undefined) {
      const one = byStream.get(stream);
      return one ? [one] : [];
    }
    if (session !== undefined) return bySession.get(session) ?? [];
    if (user !== undefined) return byUser.get(user) ?? [];
    if (tag !== undefined) return byTag.get(tag) ?? [];
    return byStream.values();
  }

  return {
    get size() {
      return byStream.size;
    },
    add(admitted) {
      byStream.set(admitted.stream.id, admitted);
      for (const [index, key] of placesOf(admitted)) {
        const there = index.get(key);
        if (there) there.add(admitted);
        else index.set(key, new Set([admitted]));
      }
    },
    remove(admitted) {
      if (byStream.get(admitted.stream.id) !== admitted) return;
      byStream.delete(admitted.stream.id);
      for (const [index, key] of placesOf(admitted)) {
        const there = index.get(key);
        there?.delete(admitted);
        if (there?.size === 0) index.delete(key);
      }
    },
    find: (selector) => [...candidates(selector)].filter(({ who, stream }) => matches(selector, who, stream.id)),
    counts: () => ({ streams: byStream.size, users: byUser.size, sessions: bySession.size }),
  };
}
