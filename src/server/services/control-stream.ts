import type { ServiceImpl } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { ControlStreamService } from "../../gen/farewell/v1/control_stream_pb.js";
import { type Bouncer, houseOf } from "../bouncer.js";
import { admittedStreamKey } from "../inside/admitted-stream.js";
import { type Event, eventOf } from "../words/event-of.js";
import { duration } from "../words/to-connect-error.js";

export { ControlStreamService };

/** Credentials that end are announced so many ms before. */
const expiryNoticeMs = 60_000;

/**
 * The control stream, optional on both sides: signs of life, what will happen, and the verdict itself, on a stream beside the
 * session's others.
 *
 * @example
 * router.service(ControlStreamService, controlStreamService(bouncer));
 */
export function controlStreamService(bouncer: Bouncer): ServiceImpl<typeof ControlStreamService> {
  const { clock, controlStreams, settings } = houseOf(bouncer);
  const { heartbeatMs, windowMs } = settings;
  return {
    async *open(_, { values, signal }) {
      const visit = values.get(admittedStreamKey);
      if (!visit) throw new ConnectError("the bouncer's interceptor is not set", Code.Internal);
      const untold: Event[] = [];
      let wake = () => {};
      const close = controlStreams.open(visit, (event) => {
        untold.push(event);
        wake();
      });
      visit.life.addEventListener("abort", close, { once: true }); // a stalled reader never resumes the generator
      const { expiresAt } = visit.who;
      if (expiresAt !== undefined) {
        const words = { reason: "unauthenticated", message: "the credentials will expire" } as const;
        clock.sleep(Math.max(0, expiresAt - expiryNoticeMs - clock.now()), visit.life).then(
          () => controlStreams.post([visit], eventOf("notice", words, clock.now(), expiresAt)),
          () => {}, // it is gone
        );
      }
      try {
        const heartbeatInterval = duration(heartbeatMs);
        const returnWindow = windowMs === undefined ? {} : { returnWindow: duration(windowMs) };
        yield { event: { case: "welcome", value: { heartbeatInterval, ...returnWindow } } };
        for (;;) {
          for (let event = untold.shift(); event; event = untold.shift()) yield { event };
          if (signal.aborted) return;
          const timer = new AbortController();
          wake = () => timer.abort();
          signal.addEventListener("abort", wake, { once: true });
          // Up to a fifth earlier, so that ten thousand that came together do not stay together.
          const due = clock.sleep(heartbeatMs * (1 - clock.random() / 5), timer.signal).then(
            () => true,
            () => false,
          );
          if (await due) untold.push({ case: "heartbeat", value: {} });
          signal.removeEventListener("abort", wake);
        }
      } finally {
        close();
      }
    },
  };
}
