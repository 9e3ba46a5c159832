import { atOnce } from "../ports/guarded.js";
import { dateFrom, fieldFrom } from "./border.js";
import type { Details, ErrorInfo } from "./details.js";
import type { DisconnectReasons, LocalizedText, Reason, Source } from "./disconnect.js";
import { type BuiltInReason, type Fields, isBuiltIn, rowOf } from "./reasons.js";
import { errorDomain, mirror } from "./wire.js";

// What a server said in so many words: its details and our metadata.

type FieldValues = { readonly [name: string]: unknown };

/** An app's own `google.rpc.ErrorInfo` reason: the Disconnect reason it stands for, and where its fields come from. */
export type ReasonMapping = ByName | ByFields;

/** By name alone: a built-in reason, whose fields are read from the metadata, or one of the app's that has no fields. */
type ByName = {
  [R in Reason]: R extends BuiltInReason ? R : keyof DisconnectReasons[R] extends never ? R : never;
}[Reason];

/** With a function that reads the reason's fields. */
type ByFields = {
  [R in Reason]: {
    readonly reason: R;
    /** Reads the fields from `ErrorInfo.metadata`. If it throws, the detail counts as unreadable. */
    readonly fields: (metadata: { readonly [key: string]: string }) => DisconnectReasons[R];
  };
}[Reason];

/** By ErrorInfo domain, then by ErrorInfo reason. */
export interface ReasonMappings {
  readonly [domain: string]: { readonly [reason: string]: ReasonMapping };
}

/** A reason in the server's own words. */
export interface Spoken {
  readonly reason: Reason;
  readonly source: Source;
  readonly fields: FieldValues;
}

/** All that details and metadata say, whether or not they name a reason. */
export interface Said {
  readonly spoken: Spoken | undefined;
  readonly localized: LocalizedText | undefined;
  /** True where the server sent a RetryInfo or a retry header, even one without a usable time. */
  readonly retry: boolean;
  readonly retryAt: Date | undefined;
}

/** Reads a server's words: the details of an error, and its metadata. */
export function wordsOf(details: Details, metadata: Headers, now: number, mappings: ReasonMappings = {}): Said {
  const { disconnect, errorInfos, retryInfo, localized } = details;
  const header = (name: string) => firstValue(metadata.get(name));
  const pushback = header(mirror.pushbackMs);
  const retryAfter = metadata.get(mirror.retryAfter);
  const retryAt = later(now, retryInfo?.retryMs) ?? later(now, wholeNumber(pushback)) ?? httpTime(now, retryAfter);
  return {
    spoken:
      fromDetail(disconnect, now, retryAt) ??
      fromErrorInfos(errorInfos, retryAt, mappings) ??
      fromMirror(header, retryAt),
    localized,
    retry: retryInfo !== undefined || retryAt !== undefined,
    retryAt,
  };
}

function fromDetail(said: Details["disconnect"], now: number, retryAt: Date | undefined): Spoken | undefined {
  if (!said) return undefined;
  const { reason, code, by, untilMs, retryMs, reserved } = said;
  const until = untilMs === undefined ? undefined : dateFrom(untilMs);
  return spokenBuiltIn(reason, "detail", { code, by, until, retryAt: later(now, retryMs) ?? retryAt, reserved });
}

/** Of several, the first that names a reason: those of other domains are none of ours. */
function fromErrorInfos(
  infos: Details["errorInfos"],
  retryAt: Date | undefined,
  mappings: ReasonMappings,
): Spoken | undefined {
  for (const info of infos) {
    const spoken = fromErrorInfo(info, retryAt, mappings);
    if (spoken) return spoken;
  }
  return undefined;
}

function fromErrorInfo(
  { domain, reason, metadata }: ErrorInfo,
  retryAt: Date | undefined,
  mappings: ReasonMappings,
): Spoken | undefined {
  const mapping = own(own(mappings, domain), reason);
  if (typeof mapping === "object") {
    try {
      return { reason: mapping.reason, source: "detail", fields: { ...atOnce(mapping.fields(metadata)) } };
    } catch {
      return undefined;
    }
  }
  const name = mapping ?? (domain === errorDomain ? builtIn(reason.toLowerCase()) : undefined);
  if (name === undefined) return undefined;
  return spokenBuiltIn(
    name,
    "detail",
    fieldsIn((field) => metadata[field], retryAt),
  );
}

function fromMirror(header: (name: string) => string | undefined, retryAt: Date | undefined): Spoken | undefined {
  const reason = builtIn(header(mirror.reason)?.toLowerCase());
  if (reason === undefined) return undefined;
  return spokenBuiltIn(
    reason,
    "trailer",
    fieldsIn((field) => header(mirror[field]), retryAt),
  );
}

/** The fields of any reason, from texts. A time to come back is told apart from them. */
function fieldsIn(
  text: (field: "code" | "by" | "until" | "reserved") => string | undefined,
  retryAt: Date | undefined,
): Fields {
  const reserved = text("reserved") === "true" || undefined;
  return { code: text("code"), by: text("by"), until: isoTime(text("until")), retryAt, reserved };
}

/** Exactly the fields that belong to `reason`, absent ones as `undefined`. */
export function fieldsFor(reason: Reason, values: FieldValues): FieldValues {
  const names = rowOf(reason)?.fields;
  return names ? Object.fromEntries(names.map((name) => [name, fieldFrom(values[name])])) : { ...values };
}

/** An app's own reason, mapped by name alone, has no fields. */
function spokenBuiltIn(reason: Reason, source: Source, values: FieldValues): Spoken {
  return { reason, source, fields: isBuiltIn(reason) ? fieldsFor(reason, values) : {} };
}

function builtIn(name: string = ""): BuiltInReason | undefined {
  return isBuiltIn(name) ? name : undefined;
}

/** A property of the object itself: a server must not reach `constructor` and its kind. */
function own<T>(table: { readonly [key: string]: T } | undefined, key: string): T | undefined {
  return table && Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Headers join repeated fields with a comma, and metadata is headers and trailers together. */
function firstValue(value: string | null): string | undefined {
  const first = value?.split(",", 1)[0]?.trim();
  try {
    return first && decodeURIComponent(first);
  } catch {
    return first;
  }
}

function later(now: number, ms: number | undefined): Date | undefined {
  return ms === undefined || ms < 0 ? undefined : dateFrom(now + ms);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function isoTime(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : dateFrom(Date.parse(text));
}

function httpTime(now: number, text: string | null): Date | undefined {
  const seconds = wholeNumber(firstValue(text));
  if (seconds !== undefined) return later(now, seconds * 1000);
  return text === null || text.length > 64 || !/\d{4} .*GMT/.test(text) ? undefined : dateFrom(Date.parse(text));
}

/** Read from the server's own words about this client, not from a status. */
export function isSpoken({ source }: { readonly source: Source }): boolean {
  return source === "detail" || source === "trailer" || source === "notice";
}
