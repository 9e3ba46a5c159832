import { createClient } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { classify } from "../../src/index.js";
import { ControlStreamService } from "../../src/server/index.js";
import type { Caller, Venue } from "./venue.js";

/** A raw client's control stream: everything that it hears, as text. */
export function attend(venue: Venue, caller: Caller) {
  const heard: string[] = [];
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  const seconds = (span?: { readonly seconds: bigint; readonly nanos: number }) =>
    span && `${Number(span.seconds) + span.nanos / 1e9} s`;
  let over = false;
  const end = (async () => {
    try {
      const stream = createClient(ControlStreamService, venue.transport).open(
        {},
        { headers: venue.headerOf(caller), signal: gone.signal },
      );
      for await (const { event } of stream) {
        if (event.case === "welcome") {
          heard.push(`welcome: ${seconds(event.value.heartbeatInterval)}, ${seconds(event.value.returnWindow)}`);
        } else if (event.case === "notice" || event.case === "verdict") {
          const { disconnect, message } = event.value;
          const after = event.case === "notice" && event.value.after ? ` in ${seconds(event.value.after)}` : "";
          heard.push(`${event.case}: ${disconnect?.reason.case} "${message}"${after}`);
        } else heard.push(String(event.case));
      }
      return undefined;
    } catch (error) {
      return classify({ error }, { now: venue.clock.now() });
    } finally {
      over = true;
    }
  })();
  return { heard, end, ended: () => over, leave: () => gone.abort() };
}
