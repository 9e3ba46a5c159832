import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, getTextEncoding, WireType } from "@bufbuild/protobuf/wire";
import type { ConnectError } from "@connectrpc/connect";
import type { LocalizedText } from "./disconnect.js";
import { type BuiltInReason, builtInReasons, vocabulary } from "./reasons.js";

// The four error details that a client looks at, read by their field numbers: the generated descriptors would be a
// kilobyte more in every bundle. A test holds this to what the generated code reads.

/** So many details are looked at, of so many bytes each at most: none of ours comes near. The others were not said. */
const mostDetails = 32;
const longestDetail = 65_536;

/** What the details of an error say. What cannot be decoded was not said. */
export interface Details {
  /** `farewell.v1.Disconnect`, of a reason that this version knows. */
  readonly disconnect: Said | undefined;
  /** `google.rpc.ErrorInfo`: all of them, for the first may be another domain's. */
  readonly errorInfos: readonly ErrorInfo[];
  /** `google.rpc.RetryInfo`. It may be there and hold no time. */
  readonly retryInfo: { readonly retryMs: number | undefined } | undefined;
  /** `google.rpc.LocalizedMessage` */
  readonly localized: LocalizedText | undefined;
}

/** The reason, and the fields of any reason; of the others than its own each is `undefined`. */
interface Said {
  readonly reason: BuiltInReason;
  readonly code: string | undefined;
  readonly by: string | undefined;
  readonly untilMs: number | undefined;
  readonly retryMs: number | undefined;
  readonly reserved: true | undefined;
}

export interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: { readonly [key: string]: string };
}

/** Of each kind, the first that can be decoded and says something. */
export function detailsOf(details: ConnectError["details"]): Details {
  const all = <T>(type: string, read: (message: Message) => T | undefined): readonly T[] =>
    [...details].slice(0, mostDetails).flatMap((detail) => {
      try {
        const sent = "desc" in detail; // by ourselves: it was on no wire
        if ((sent ? detail.desc.typeName : detail.type) !== type) return [];
        return read(messageOf(sent ? toBinary(detail.desc, create(detail.desc, detail.value)) : detail.value)) ?? [];
      } catch {
        return []; // not said
      }
    });
  return {
    disconnect: all("farewell.v1.Disconnect", saidIn)[0],
    errorInfos: all("google.rpc.ErrorInfo", (info) => ({
      reason: textIn(info, 1) ?? "",
      domain: textIn(info, 2) ?? "",
      metadata: Object.fromEntries(
        info
          .filter(([number]) => number === 3)
          .map(([, entry]) => messageOf(entry))
          .map((entry) => [textIn(entry, 1) ?? "", textIn(entry, 2) ?? ""]),
      ),
    })),
    retryInfo: all("google.rpc.RetryInfo", (info) => ({ retryMs: msIn(info, 1) }))[0],
    localized: all("google.rpc.LocalizedMessage", (text) => ({
      locale: textIn(text, 1) ?? "",
      message: textIn(text, 2) ?? "",
    }))[0],
  };
}

/** The rows of the vocabulary and their fields are in the order of their numbers. */
function saidIn(disconnect: Message): Said | undefined {
  const [number, value] = disconnect.filter(([number]) => builtInReasons[number - 1]).at(-1) ?? [0];
  const reason = builtInReasons[number - 1];
  if (!reason) return undefined; // none, or one from a later version of the protocol
  const fields = messageOf(value);
  const numberOf = (field: string) => (vocabulary[reason].fields as readonly string[]).indexOf(field) + 1;
  return {
    reason,
    code: textIn(fields, numberOf("code")),
    by: textIn(fields, numberOf("by")),
    untilMs: msIn(fields, numberOf("until")),
    retryMs: msIn(fields, numberOf("retryAt")),
    reserved: Boolean(valueIn(fields, numberOf("reserved"))) || undefined,
  };
}

/** The fields of a message, by number, as they come: integers, and bytes for all that has a length. */
export type Message = readonly (readonly [number: number, value: unknown])[];

export function messageOf(bytes: unknown): Message {
  const reader = new BinaryReader(bytes as Uint8Array);
  const fields: [number, unknown][] = [];
  if (reader.len > longestDetail) throw new RangeError();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited) fields.push([number, reader.bytes()]);
    else if (type === WireType.Varint) fields.push([number, reader.int64()]);
    else reader.skip(type, number);
  }
  return fields;
}

/** Of a field that was written several times, the last counts. No field has the number 0. */
export function valueIn(message: Message, number: number): unknown {
  return new Map(message).get(number);
}

export function textIn(message: Message, number: number): string | undefined {
  const bytes = valueIn(message, number);
  return bytes === undefined ? undefined : getTextEncoding().decodeUtf8(bytes as Uint8Array, true);
}

/** A Duration or a Timestamp, in ms. */
function msIn(message: Message, number: number): number | undefined {
  const bytes = valueIn(message, number);
  if (bytes === undefined) return undefined;
  const time = messageOf(bytes);
  return Number(valueIn(time, 1) ?? 0) * 1000 + Number(valueIn(time, 2) ?? 0) / 1e6;
}
