import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import { objectOf } from "../../check/invalid.js";
import { checkWords } from "../../check/words.js";
import type { DisconnectInit, LocalizedText } from "../../disconnect/disconnect.js";
import { type BuiltInReason, builtInReasons, type Fields, vocabulary } from "../../disconnect/reasons.js";
import { errorDomain, mirror } from "../../disconnect/wire.js";
import { DisconnectSchema } from "../../gen/farewell/v1/disconnect_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { systemClock } from "../../ports/clock.js";

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
  checkWords("disconnect", disconnect, builtInReasons);
  objectOf("disconnect", disconnect, [...common, ...vocabulary[disconnect.reason].fields]); // a ban with `untill` would be for good
  const { reason, message = "", localized } = disconnect;
  const { code, by, until, retryMs, reserved } = fieldsOf(disconnect, now);
  const metadata = given({
    code,
    by,
    until: until?.toISOString(),
    reserved: reserved ? "true" : undefined,
  });
  const details: ConstructorParameters<typeof ConnectError>[3] = [
    { desc: DisconnectSchema, value: detailOf(disconnect, now) },
    { desc: ErrorInfoSchema, value: { reason: reason.toUpperCase(), domain: errorDomain, metadata } },
  ];
  const header = new Headers({ [mirror.reason]: reason });
  for (const [name, field] of Object.entries(metadata)) {
    header.set(mirror[name as "code" | "by" | "until" | "reserved"], encodeURIComponent(field));
  }
  if (retryMs !== undefined) {
    details.push({ desc: RetryInfoSchema, value: { retryDelay: duration(retryMs) } });
    header.set(mirror.retryAfter, String(Math.ceil(retryMs / 1000)));
    header.set(mirror.pushbackMs, String(Math.ceil(retryMs)));
  }
  if (localized !== undefined) details.push({ desc: LocalizedMessageSchema, value: localizedOf(localized) });
  return new ConnectError(messageOf(message), vocabulary[reason].status as Code, header, details);
}

/** What words of any reason may have; of a Disconnect that is passed on, also what was read of its source. */
const common = ["reason", "message", "localized", "said", "source", "cause"];

/** Our typed detail, from words that were checked. */
export function detailOf(words: DisconnectInit<BuiltInReason>, now: number): MessageInitShape<typeof DisconnectSchema> {
  const { code, by, until, retryMs, reserved } = fieldsOf(words, now);
  const value = given({
    code,
    by,
    until: until && timestamp(until.getTime()),
    retryAfter: retryMs === undefined ? undefined : duration(retryMs),
    reserved,
  });
  return { reason: { case: words.reason, value } as { case: "kicked"; value: object } };
}

/** The fields of any reason, cut to what fits; times of return are relative, so that a wrong clock does no harm. */
function fieldsOf(words: DisconnectInit<BuiltInReason>, now: number) {
  const { code, by, until, retryAt, reserved } = words as Partial<Fields>;
  return {
    code: code === undefined ? undefined : clipped(code, 100),
    by: by === undefined ? undefined : clipped(by, 100),
    until,
    retryMs: retryAt && Math.max(0, retryAt.getTime() - now),
    reserved: reserved || undefined,
  };
}

/** Without what is `undefined`: absent and empty are not the same in a proto message. */
function given<T extends object>(fields: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** A status message, cut to what fits. */
export function messageOf(text: string): string {
  return clipped(text, 1_000);
}

/** A text for users, cut to what fits. */
export function localizedOf({ locale, message }: LocalizedText): MessageInitShape<typeof LocalizedMessageSchema> {
  return { locale: clipped(locale, 100), message: clipped(message, 1_000) };
}

/** Cut between code points, so that it stays valid UTF-8. */
function clipped(value: string, maxBytes: number): string {
  const text = value.toWellFormed(); // a lone surrogate cannot be encoded
  const encoder = new TextEncoder();
  if (encoder.encode(text).length <= maxBytes) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(maxBytes - 3));
  return `${text.slice(0, read)}…`;
}

/** Seconds and nanoseconds, of a Duration or a Timestamp: nanos are never negative in the latter. */
function timestamp(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
}

export const duration: (ms: number) => { seconds: bigint; nanos: number } = timestamp;
