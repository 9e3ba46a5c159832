import type { AdmittedStream } from "../inside/admitted-stream.js";
import type { Registry } from "../inside/registry.js";
import type { Event } from "../words/event-of.js";

/** The control streams that are open, and a way to speak on them. */
export interface ControlStreams {
  /** `post` is called with what is to be said on this stream, which is a control stream. Returns the removal. */
  open(admitted: AdmittedStream, post: (event: Event) => void): () => void;
  /** The control streams of the sessions that these streams belong to. */
  of(streams: readonly AdmittedStream[]): readonly AdmittedStream[];
  /** Speaks on each. Returns how many there were. */
  post(controlStreams: readonly AdmittedStream[], event: Event): number;
}

export function createControlStreams(registry: Registry): ControlStreams {
  const posts = new Map<AdmittedStream, (event: Event) => void>();

  function find(streams: readonly AdmittedStream[]): ReadonlySet<AdmittedStream> {
    const sessions = new Map<string, AdmittedStream["who"]>();
    for (const { who } of streams) {
      if (who.session !== undefined) sessions.set(JSON.stringify([who.user, who.session]), who);
    }
    const found = new Set<AdmittedStream>();
    for (const { user, session } of sessions.values()) {
      for (const other of registry.find({ session })) if (posts.has(other) && other.who.user === user) found.add(other);
    }
    return found;
  }

  return {
    open(admitted, post) {
      posts.set(admitted, post);
      return () => void posts.delete(admitted);
    },
    of: (streams) => (posts.size === 0 ? [] : [...find(streams)]),
    post(controlStreams, event) {
      for (const controlStream of controlStreams) posts.get(controlStream)?.(event);
      return controlStreams.length;
    },
  };
}
