import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { invalid, objectOf } from "../../check/invalid.js";
import { ControlStreamService } from "../../gen/farewell/v1/control_stream_pb.js";
import type { Clock } from "../../ports/clock.js";
import { type Bouncer, partsOf } from "../bouncer.js";
import { type AdmittedStream, admittedStreamKey } from "../inside/admitted-stream.js";
import { atExpiry } from "../inside/renewal.js";
import type { ControlStreams } from "../verdict/control-streams.js";
import { type Event, eventOf } from "../words/event-of.js";
import { duration } from "../words/to-connect-error.js";
import { createNews, type News } from "./news.js";

export { ControlStreamService };

/** What a server says of itself on its control streams. */
export interface ControlStreamOptions {
  /**
   * Headers of streams leave as soon as a stream is let in. Connect for Node sends them with the first message, so it is true
   * only where each method yields its first message at once. Clients then take an attempt without headers for lost after
   * 15 s. @default false
   */
  readonly headersAtAdmission?: boolean;
}

/**
 * The control stream, optional on both sides: signs of life, what will happen, and the verdict itself, on a stream beside the
 * session's others.
 *
 * @throws TypeError that names the option
 * @example
 * router.service(ControlStreamService, controlStreamService(bouncer));
 */
export function controlStreamService(
  bouncer: Bouncer,
  options: ControlStreamOptions = {},
): ServiceImpl<typeof ControlStreamService> {
  const { headersAtAdmission = false } = objectOf("options", options, ["headersAtAdmission"]);
  if (typeof headersAtAdmission !== "boolean") {
    throw invalid("options.headersAtAdmission", headersAtAdmission, "true or false");
  }
  const { clock, controlStreams, settings, renewSession } = partsOf(bouncer);
  const { heartbeatMs, windowMs } = settings;
  const heartbeatInterval = duration(heartbeatMs);
  const returnWindow = windowMs === undefined ? {} : { returnWindow: duration(windowMs) };
  return {
    async *open(_, { values, signal }) {
      const admitted = values.get(admittedStreamKey);
      if (!admitted) throw new ConnectError("the bouncer's interceptor is not set", Code.Internal);
      const news = createNews<Event>();
      const close = controlStreams.open(admitted, news.tell);
      admitted.life.addEventListener("abort", close, { once: true }); // a stalled reader never resumes the generator
      signal.addEventListener("abort", news.wake, { once: true });
      announceExpiry(admitted, controlStreams, clock);
      renewSession(admitted);
      try {
        yield { event: { case: "welcome", value: { heartbeatInterval, headersAtAdmission, ...returnWindow } } };
        for (;;) {
          for (let event = news.take(); event; event = news.take()) yield { event };
          if (signal.aborted) return;
          // Up to a fifth earlier, so that ten thousand that came together do not stay together.
          if (await isSilent(news, heartbeatMs * (1 - clock.random() / 5), clock)) {
            news.tell({ case: "heartbeat", value: {} });
          }
        }
      } finally {
        close();
      }
    },
  };
}

/** Whether there was nothing to tell for so long. */
async function isSilent(news: News<unknown>, ms: number, clock: Clock): Promise<boolean> {
  const timer = new AbortController();
  news.wait(() => timer.abort());
  return await clock.sleep(ms, timer.signal).then(
    () => true,
    () => false,
  );
}

/** Credentials that end are announced so many ms before. */
const expiryNoticeMs = 60_000;
const expiring = { reason: "unauthenticated", message: "the credentials will expire" } as const;

function announceExpiry(admitted: AdmittedStream, controlStreams: ControlStreams, clock: Clock): void {
  atExpiry(admitted, { clock, aheadMs: expiryNoticeMs }, (expiresAt) => {
    controlStreams.post([admitted], eventOf("notice", expiring, clock.now(), expiresAt));
    return undefined;
  });
}
