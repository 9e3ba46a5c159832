import { type Code, ConnectError } from "@connectrpc/connect";
import { systemClock } from "../clock.js";
import { type BuiltInReason, builtInReasons, type DisconnectInit } from "../disconnect.js";
import { DisconnectSchema } from "../gen/farewell/v1/disconnect_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { invalid, objectOf, oneOf } from "../invalid.js";
import { codeOf, errorDomain, mirror } from "../wire.js";

/**
 * The error that says a Disconnect on the wire: throw it from a handler or an interceptor. It carries our typed detail,
 * `google.rpc.ErrorInfo`, `RetryInfo` and `LocalizedMessage`, the metadata mirror and the status code that PROTOCOL.md
 * names, each sufficient alone. The inverse of `classify`: what goes in comes out at the client.
 *
 * Texts are cut at 1,000 bytes of UTF-8 and labels at 100, because trailers are limited to about 8 KiB.
 *
 * @param now epoch ms; `retryAt` travels as a delay from here, so that a wrong clock does no harm
 * @throws TypeError that names the field
 * @example
 * throw toConnectError({ reason: "banned", until: new Date("2030-01-01"), message: "Cheating" });
 */
export function toConnectError(
  disconnect: DisconnectInit<BuiltInReason>,
  now: number = systemClock.now(),
): ConnectError {
  objectOf("disconnect", disconnect);
  const reason = oneOf("disconnect.reason", disconnect.reason, builtInReasons);
  const text = clipped("message", disconnect.message ?? "", 1_000);
  const { localized } = disconnect;
  const code = label("code", "code" in disconnect ? disconnect.code : undefined);
  const by = label("by", "by" in disconnect ? disconnect.by : undefined);
  const until = time("until", "until" in disconnect ? disconnect.until : undefined);
  const retryAt = time("retryAt", "retryAt" in disconnect ? disconnect.retryAt : undefined);
  const retryMs = retryAt && Math.max(0, retryAt.getTime() - now);

  const labels = { ...(code !== undefined && { code }), ...(by !== undefined && { by }) };
  const retryAfter = retryMs === undefined ? undefined : duration(retryMs);
  const value = {
    ...labels,
    ...(until && { until: timestamp(until.getTime()) }),
    ...(retryAfter && { retryAfter }),
  };
  const metadata = { ...labels, ...(until && { until: until.toISOString() }) };
  const details: ConstructorParameters<typeof ConnectError>[3] = [
    { desc: DisconnectSchema, value: { reason: { case: reason, value } } },
    { desc: ErrorInfoSchema, value: { reason: reason.toUpperCase(), domain: errorDomain, metadata } },
  ];
  const header = new Headers({ [mirror.reason]: reason });
  for (const [name, field] of Object.entries(metadata)) {
    header.set(mirror[name as "code" | "by" | "until"], encodeURIComponent(field));
  }
  if (retryMs !== undefined) {
    details.push({ desc: RetryInfoSchema, value: { retryDelay: duration(retryMs) } });
    header.set(mirror.retryAfter, String(Math.ceil(retryMs / 1000)));
    header.set(mirror.pushbackMs, String(Math.ceil(retryMs)));
  }
  if (localized !== undefined) {
    const { locale, message } = objectOf("disconnect.localized", localized, ["locale", "message"]);
    const value = {
      locale: clipped("localized.locale", locale, 100),
      message: clipped("localized.message", message, 1_000),
    };
    details.push({ desc: LocalizedMessageSchema, value });
  }
  return new ConnectError(text, codeOf[reason] as Code, header, details);
}

function label(field: string, value: unknown): string | undefined {
  return value === undefined ? undefined : clipped(field, value, 100);
}

/** Cut between code points, so that it stays valid UTF-8. Percent-encoding makes up to three bytes of each. */
function clipped(field: string, value: unknown, maxBytes: number): string {
  if (typeof value !== "string") throw invalid(`disconnect.${field}`, value, "a string");
  const text = value.toWellFormed(); // a lone surrogate cannot be encoded
  if (text.length * 3 <= maxBytes) return text;
  const encoder = new TextEncoder();
  if (encoder.encode(text).length <= maxBytes) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(maxBytes - 3));
  return `${text.slice(0, read)}…`;
}

function time(field: string, value: unknown): Date | undefined {
  if (value === undefined) return undefined;
  const year = value instanceof Date ? value.getUTCFullYear() : Number.NaN;
  if (!(year >= 1 && year <= 9999)) throw invalid(`disconnect.${field}`, value, "a Date in the years 1 to 9999");
  return value as Date;
}

/** Seconds and nanoseconds, of a Duration or a Timestamp: nanos are never negative in the latter. */
function timestamp(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
}

const duration: (ms: number) => { seconds: bigint; nanos: number } = timestamp;
