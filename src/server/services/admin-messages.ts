import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationMs, type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { LocalizedText } from "../../disconnect/disconnect.js";
import type {
  DrainResponseSchema,
  Options,
  OutcomeSchema,
  Selector as SelectorMessage,
  StreamSchema,
} from "../../gen/farewell/v1/admin_pb.js";
import type { LocalizedMessage } from "../../gen/google/rpc/error_details_pb.js";
import type { Stream } from "../inside/admitted-stream.js";
import type { DrainProgress, Report } from "../inside/report.js";
import type { VerdictOptions } from "../verdict/options.js";
import type { Selector } from "../who/selector.js";

// Between the messages of the admin service and the bouncer's own types. What is wrong throws a TypeError that names the
// field of the request.

/** Nothing said is nobody meant: the bouncer refuses it. */
export function selectorFrom(message: SelectorMessage | undefined): Selector {
  const { user, session, tag, stream, all, exceptSession } = message ?? ({} as Partial<SelectorMessage>);
  const given = Object.entries({ user, session, tag, stream }).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(given),
    ...(all && { all }),
    ...(exceptSession !== undefined && { except: { session: exceptSession } }),
  };
}

export function optionsFrom(options: Options | undefined, by: string): VerdictOptions {
  if (!options) return { by };
  const { abort, forceAfter, dryRun, limit, details, note } = options;
  return {
    mode: abort ? "abort" : "tell",
    forceAfterMs: msFrom("options.force_after", forceAfter),
    dryRun,
    limit,
    details,
    by,
    note: note === "" ? undefined : note,
  };
}

export function msFrom(field: string, duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  const ms = durationMs(duration);
  if (!(ms >= 0)) throw new TypeError(`${field}: expected a duration of at least 0, got ${ms} ms`);
  return ms;
}

export function dateFrom(field: string, time: Timestamp | undefined): Date | undefined {
  if (time === undefined) return undefined;
  const date = timestampDate(time);
  if (Number.isNaN(date.getTime())) throw new TypeError(`${field}: expected a time in the years 1 to 9999`);
  return date;
}

export function localizedFrom(message: LocalizedMessage | undefined): LocalizedText | undefined {
  return message && { locale: message.locale, message: message.message };
}

export function outcomeMessage({ verdict, streams, ...counts }: Report): MessageInitShape<typeof OutcomeSchema> {
  return {
    ...counts,
    verdict: verdict ?? "",
    streams: (streams ?? []).map(({ stream, outcome }) => ({ stream: streamMessage(stream), outcome })),
  };
}

export function progressMessage(progress: DrainProgress): MessageInitShape<typeof DrainResponseSchema> {
  const { total, inside, report, done } = progress;
  return { total, inside, outcome: outcomeMessage(report), done };
}

export function streamMessage({ since, tags, ...stream }: Stream): MessageInitShape<typeof StreamSchema> {
  const given = Object.fromEntries(Object.entries(stream).filter(([, value]) => value !== undefined));
  return { ...given, tags: [...tags], since: timestampFromDate(since) };
}
