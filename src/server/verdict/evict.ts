import type { Clock } from "../../ports/clock.js";
import { within } from "../../ports/timer.js";
import type { AdmittedStream } from "../inside/admitted-stream.js";
import { eventOf } from "../words/event-of.js";
import { type Goodbyes, goodbyesFor } from "../words/goodbye.js";
import type { Verdict, Words } from "../words/words.js";
import type { ControlStreams } from "./control-streams.js";
import { cut, type Ended, tellThenForce } from "./force.js";

/** How streams are ended. */
export interface Eviction {
  /** What was recorded before. */
  readonly verdict: Verdict;
  /** What these clients are told: the verdict's words, or with a time of their own. */
  readonly words: Words;
  readonly mode: "tell" | "abort";
  readonly forceAfterMs: number;
}

/** Ends streams for a verdict, and lets the control streams beside them know. */
export type Evict = (streams: readonly AdmittedStream[], eviction: Eviction) => Promise<Ended>;

/** Words on a control stream leave before what they explain, if they leave within so many ms. */
const headStartMs = 50;

export function createEvict(controlStreams: ControlStreams, clock: Clock): Evict {
  return async (streams, { verdict, words, mode, forceAfterMs }) => {
    const goodbyes = goodbyesFor(verdict, words, clock.now());
    const among = new Set(streams);
    const beside = controlStreams.of(streams);
    const witnesses = beside.filter((controlStream) => !among.has(controlStream));
    controlStreams.post(witnesses, eventOf("verdict", words, clock.now()));
    if (mode === "tell") return await tellThenForce(streams, goodbyes, forceAfterMs, clock);
    const messengers = beside.filter((controlStream) => among.has(controlStream));
    return await abort(streams, { messengers, witnesses, goodbyes, forceAfterMs });
  };

  /** Cuts all but the control streams: these are told, and first, for they explain what happens to the others. */
  async function abort(streams: readonly AdmittedStream[], { messengers, witnesses, ...how }: Abort): Promise<Ended> {
    const explain = new Set(messengers);
    const telling = tellThenForce(messengers, how.goodbyes, how.forceAfterMs, clock);
    if (messengers.length + witnesses.length > 0) {
      await (witnesses.length > 0 ? clock.sleep(headStartMs) : within(headStartMs, telling, clock));
    }
    const others = streams.filter((admitted) => !explain.has(admitted));
    const [told, rest] = await Promise.all([telling, cut(others, how.goodbyes, clock)]);
    return new Map(streams.map((admitted) => [admitted, told.get(admitted) ?? rest.get(admitted) ?? "failed"]));
  }
}

interface Abort {
  /** The control streams among those that are ended. */
  readonly messengers: readonly AdmittedStream[];
  /** Those beside them, which go on. */
  readonly witnesses: readonly AdmittedStream[];
  readonly goodbyes: Goodbyes;
  readonly forceAfterMs: number;
}
