import { type ClassifyOptions, classify, type Evidence, type HttpStatusMeans } from "../disconnect/classify.js";
import type { Disconnect, DisconnectInit, Reason } from "../disconnect/disconnect.js";
import type { ReasonMappings } from "../disconnect/spoken.js";
import type { Clock } from "../ports/clock.js";

/** Names the endings of a session's streams, with what was announced before. */
export interface Notices {
  /** Something was announced; `at`: when it will happen, if that is known. */
  announce(words: DisconnectInit, at: Date | undefined): void;
  /** Something was decided now: it explains no stream that was sent later. */
  decide(words: DisconnectInit): void;
  /** After a new login, nothing said before counts. */
  forget(): void;
  /** Names an ending, of a stream whose last attempt was sent at `sentAt`. */
  name(evidence: Evidence, sentAt: number, wasOpen: ClassifyOptions["wasOpen"]): Disconnect | undefined;
}

/** What was announced, and which cuts it explains. Times are of the clock that is never set. */
interface Notice {
  readonly announced: DisconnectInit;
  /** When it happens. It counts for the same time before and after that. */
  readonly at: number;
  readonly ofStreamsBefore: number;
}

export interface NoticeOptions {
  readonly clock: Clock;
  readonly noticeTtlMs: number;
  readonly mappings: ReasonMappings;
  readonly abortedMeans: Reason | undefined;
  readonly httpStatusMeans: HttpStatusMeans | undefined;
}

export function createNotices({ clock, noticeTtlMs, mappings, ...means }: NoticeOptions): Notices {
  let notice: Notice | undefined;
  const remember = (announced: DisconnectInit, at: number, ofStreamsBefore: number) => {
    notice = { announced, at, ofStreamsBefore };
  };
  return {
    announce(words, at) {
      const now = clock.monotonic();
      // That credentials end says nothing of a stream that may have others.
      const before = words.reason === "unauthenticated" ? now : Number.POSITIVE_INFINITY;
      remember(words, now + (at ? Number(at) - clock.now() : 0), before);
    },
    decide: (words) => remember(words, clock.monotonic(), clock.monotonic()),
    forget() {
      notice = undefined;
    },
    name(evidence, sentAt, wasOpen) {
      const now = clock.monotonic();
      const counts = notice && Math.abs(now - notice.at) <= noticeTtlMs && sentAt <= notice.ofStreamsBefore;
      return classify(evidence, {
        ...means,
        now: clock.now(),
        reasons: mappings,
        wasOpen,
        notice: counts ? notice?.announced : undefined,
      });
    },
  };
}
