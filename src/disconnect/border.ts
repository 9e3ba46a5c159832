import type { Common, Disconnect, LocalizedText, Reason } from "./disconnect.js";

// What a server, a proxy, another tab or an app's notice says is bounded and cleaned here, whichever way it has come.

/** In UTF-16 units. Longer texts are cut. */
export const longestText = 4096;

/** A text. Its control characters and lone surrogates become blanks; of text for people, lines and tabs are kept. */
export function textFrom(given: unknown, lines = false): string {
  const text = String(given);
  const cut = text.length <= longestText ? text : `${text.slice(0, longestText - 1)}…`;
  return cut.replace(/[\p{Cc}\p{Cs}]/gu, (sign) => (lines && "\r\n\t".includes(sign) ? sign : " "));
}

const lastDateMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const firstDateMs = -62_135_596_800_000; // 0001-01-01, the first google.protobuf.Timestamp

/** Kept within the range of google.protobuf.Timestamp, years 1 to 9999, so that it can be printed and sent on. */
export function dateFrom(ms: number): Date | undefined {
  return Number.isNaN(ms) ? undefined : new Date(Math.min(Math.max(ms, firstDateMs), lastDateMs));
}

/** A field of a reason: a label, a time, or what needs no bounds. */
export function fieldFrom(value: unknown): unknown {
  if (value instanceof Date) return dateFrom(Number(value));
  return typeof value === "string" ? textFrom(value) : value;
}

/** A text for users, where there is one. */
export function localizedFrom(text: LocalizedText | undefined): LocalizedText | undefined {
  return text && { locale: textFrom(text.locale), message: textFrom(text.message, true) };
}

/** Every Disconnect is made here. `fields`: those of its reason, looked at before. */
export function made(fields: object, common: Common & { readonly reason: Reason }): Disconnect {
  const { message, localized } = common;
  const texts = { message: textFrom(message, true), localized: localizedFrom(localized) };
  return { ...fields, ...common, ...texts } as Disconnect;
}
