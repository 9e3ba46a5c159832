import { functionIn } from "../../check/invalid.js";
import type { Clock } from "../../ports/clock.js";
import { guarded } from "../../ports/guarded.js";
import type { Audit } from "../audit/audit.js";
import type { AdmittedStream, Stream } from "../inside/admitted-stream.js";
import { verdictOf } from "../words/goodbye.js";
import type { Verdict } from "../words/words.js";

/** Called for each stream that was inside and has left. `verdict`: the one that put it out. */
export type ReleaseHook = (stream: Stream, verdict: Verdict | undefined) => unknown;

/** The app's hooks, called beside everything else: nothing waits for them. */
export interface ReleaseHooks {
  add(hook: ReleaseHook): () => void;
  /** A stream that was inside has left. */
  release(admitted: AdmittedStream): void;
}

/** @param withinMs a hook that takes longer is reported */
export function createReleaseHooks(withinMs: number, audit: Audit, clock: Clock): ReleaseHooks {
  const hooks = new Set<ReleaseHook>();

  /** With a deadline of its own: a hook that hangs is told of, and nothing waits for it. */
  async function run(hook: ReleaseHook, stream: Stream, verdict: Verdict | undefined): Promise<void> {
    const timer = new AbortController();
    const late = clock.sleep(withinMs, timer.signal).then(
      () => audit.failure(new Error(`not done within ${withinMs} ms`), `a release hook for ${stream.id} hangs`),
      () => {}, // in time
    );
    await guarded(
      () => hook(stream, verdict),
      (error) => audit.failure(error, `a release hook for ${stream.id} failed`),
    );
    timer.abort();
    await late;
  }

  return {
    add(hook) {
      functionIn("hook", hook);
      const own: ReleaseHook = (...args) => hook(...args); // the same hook may be set twice
      hooks.add(own);
      return () => void hooks.delete(own);
    },
    release({ stream, goodbye }) {
      for (const hook of hooks) void run(hook, stream, verdictOf(goodbye));
    },
  };
}
