import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { builtInReasons, type Session } from "farewell";
import { type SightingSchema, TimelineService } from "../../../gen/lobby/v1/lobby_pb.js";

const retryMs = 2_000;

/**
 * Tells the timeline what a session understands and decides. Over a transport of its own: what is reported about a
 * connection must not depend on it. What cannot be told now is told later, with the time at which it happened.
 */
export function reportEvents(session: Session, who: string): void {
  const timeline = createClient(TimelineService, createConnectTransport({ baseUrl: location.origin }));
  const untold: MessageInitShape<typeof SightingSchema>[] = [];
  let telling = false;

  function tell(what: string, why: string): void {
    untold.push({ at: timestampNow(), who, what, why });
    if (!telling) void tellAll();
  }

  async function tellAll(): Promise<void> {
    telling = true;
    while (untold.length > 0) {
      const sightings = untold.slice(0, 100);
      try {
        await timeline.report({ sightings });
        untold.splice(0, sightings.length);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    telling = false;
  }

  session.on("connected", () => tell("connected", ""));
  for (const reason of builtInReasons) {
    session.on(reason, ({ said, message }) =>
      tell(reason, said ? `the server said: ${message}` : `inferred: ${message}`),
    );
  }
  session.on("reconnecting", ({ afterMs, why }) =>
    tell("reconnecting", `in ${(afterMs / 1_000).toFixed(1)} s, ${why}`),
  );
  session.on("paused", ({ why }) => tell("paused", why));
  session.on("reconnected", ({ downMs, gap }) => tell("back", `after ${(downMs / 1_000).toFixed(1)} s, ${gap}`));
  session.on("ended", ({ why }) => tell("ended", why));
}
