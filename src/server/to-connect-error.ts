import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import { systemClock } from "../clock.js";
import {
  type BuiltInReason,
  builtInReasons,
  checkWords,
  type DisconnectInit,
  type LocalizedText,
} from "../disconnect.js";
import { DisconnectSchema } from "../gen/farewell/v1/disconnect_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
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
  checkWords("disconnect", disconnect, builtInReasons);
  const { reason, message = "", localized } = disconnect;
  const code = label("code" in disconnect ? disconnect.code : undefined);
  const by = label("by" in disconnect ? disconnect.by : undefined);
  const until = "until" in disconnect ? disconnect.until : undefined;
  const retryAt = "retryAt" in disconnect ? disconnect.retryAt : undefined;
  const retryMs = retryAt && Math.max(0, retryAt.getTime() - now);
  const labels = { ...(code !== undefined && { code }), ...(by !== undefined && { by }) };
  const metadata = { ...labels, ...(until && { until: until.toISOString() }) };
  const details: ConstructorParameters<typeof ConnectError>[3] = [
    { desc: DisconnectSchema, value: detailOf(disconnect, now) },
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
    details.push({ desc: LocalizedMessageSchema, value: localizedOf(localized) });
  }
  return new ConnectError(messageOf(message), codeOf[reason] as Code, header, details);
}

/** Our typed detail, from words that were checked. */
export function detailOf(words: DisconnectInit<BuiltInReason>, now: number): MessageInitShape<typeof DisconnectSchema> {
  const { reason, code, by, until, retryAt, reserved } = words as typeof words & {
    readonly code?: string;
    readonly by?: string;
    readonly until?: Date;
    readonly retryAt?: Date;
    readonly reserved?: boolean;
  };
  const value = {
    ...(code !== undefined && { code: clipped(code, 100) }),
    ...(by !== undefined && { by: clipped(by, 100) }),
    ...(until && { until: timestamp(until.getTime()) }),
    ...(retryAt && { retryAfter: duration(Math.max(0, retryAt.getTime() - now)) }),
    ...(reserved && { reserved }),
  };
  return { reason: { case: reason, value } as MessageInitShape<typeof DisconnectSchema>["reason"] & object };
}

/** A status message, cut to what fits. */
export function messageOf(text: string): string {
  return clipped(text, 1_000);
}

/** A text for users, cut to what fits. */
export function localizedOf({ locale, message }: LocalizedText): MessageInitShape<typeof LocalizedMessageSchema> {
  return { locale: clipped(locale, 100), message: clipped(message, 1_000) };
}

function label(value: string | undefined): string | undefined {
  return value === undefined ? undefined : clipped(value, 100);
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
