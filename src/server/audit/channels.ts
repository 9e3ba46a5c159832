import { type Channel, channel } from "node:diagnostics_channel";
import type { Stream } from "../inside/admitted-stream.js";
import type { DrainProgress, Report } from "../inside/report.js";
import type { Verdict, Words } from "../words/words.js";

/** The names of our channels of `node:diagnostics_channel`. Nothing is made for a channel that nobody listens to. */
export const channels = {
  /** A decision was recorded, before anything is cut. {@link VerdictMessage} */
  verdict: "farewell:verdict",
  /** It was carried out. {@link OutcomeMessage} */
  outcome: "farewell:outcome",
  /** A newcomer was refused. {@link RefusalMessage} */
  refusal: "farewell:refusal",
  /** A drain goes on, about once a second, or is over. {@link DrainMessage} */
  drain: "farewell:drain",
} as const;

/** Every message names the bouncer that it comes from: `Bouncer.name`. */
interface FromBouncer {
  readonly bouncer: string;
}
/** What `channels.verdict` carries. `matched`: streams that are meant. */
export interface VerdictMessage extends FromBouncer {
  readonly verdict: Verdict;
  readonly matched: number;
}
/** What `channels.outcome` carries. */
export interface OutcomeMessage extends FromBouncer {
  readonly verdict: Verdict;
  readonly report: Report;
}
/** What `channels.refusal` carries: what was said, and to whom. */
export interface RefusalMessage extends FromBouncer, Refused {
  readonly words: Words;
}
/** What `channels.drain` carries. */
export interface DrainMessage extends FromBouncer {
  readonly progress: DrainProgress;
}

/** Who was refused. */
export type Refused = Partial<Pick<Stream, "user" | "session" | "method" | "peer">>;

interface Messages {
  readonly verdict: VerdictMessage;
  readonly outcome: OutcomeMessage;
  readonly refusal: RefusalMessage;
  readonly drain: DrainMessage;
}

/** Publishes what a bouncer tells, where somebody listens. */
export function createPublisher(
  bouncer: string,
): <K extends keyof Messages>(name: K, message: () => Omit<Messages[K], "bouncer">) => void {
  const open: { readonly [K in keyof Messages]: Channel } = {
    verdict: channel(channels.verdict),
    outcome: channel(channels.outcome),
    refusal: channel(channels.refusal),
    drain: channel(channels.drain),
  };
  return (name, message) => {
    if (open[name].hasSubscribers) open[name].publish({ bouncer, ...message() });
  };
}
