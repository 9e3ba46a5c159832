import type { Disconnect } from "../disconnect.js";
import type { Bucket } from "../rate-limit.js";
import type { Outage } from "../state.js";

/** What the tabs of one account know together. Plain data, without anything secret: no credentials, no errors. */
export interface Snapshot {
  /** When it was written; epoch ms. */
  readonly at: number;
  readonly bucket?: Bucket | undefined;
  /** A verdict, and when it came. */
  readonly verdict?: { readonly disconnect: Disconnect; readonly why: string; readonly at: number } | undefined;
  /** The next attempt of all. */
  readonly wait?: { readonly outage: Outage; readonly until: number; readonly refund: Bucket } | undefined;
  /** When an attempt got through. */
  readonly openAt?: number | undefined;
}

/** @throws what `JSON.stringify` does for fields that an app has added */
export function toText(snapshot: Snapshot): string {
  return JSON.stringify(snapshot, function (this: { readonly [key: string]: unknown }, key, value) {
    const given = this[key];
    if (given instanceof Date) return { date: given.getTime() };
    return key === "cause" ? undefined : value;
  });
}

/** What was written by {@link toText}; `undefined` for anything else. */
export function fromText(text: string | null | undefined): Snapshot | undefined {
  try {
    const { at, bucket, verdict, wait, openAt } = JSON.parse(text ?? "", (_, value) =>
      Number.isFinite(value?.date) ? new Date(value.date) : value,
    );
    if (!Number.isFinite(at)) return undefined;
    return {
      at,
      openAt: Number.isFinite(openAt) ? openAt : undefined,
      bucket: isBucket(bucket) ? bucket : undefined,
      verdict: isDisconnect(verdict?.disconnect) && Number.isFinite(verdict.at) ? verdict : undefined,
      wait:
        Number.isFinite(wait?.until) && isBucket(wait.refund) && isDisconnect(wait.outage?.disconnect)
          ? wait
          : undefined,
    };
  } catch {
    return undefined; // somebody else's
  }
}

function isBucket(value: Bucket | undefined): boolean {
  return Number.isFinite(value?.tokens) && Number.isFinite(value?.at);
}

function isDisconnect(value: Disconnect | undefined): boolean {
  return typeof value?.reason === "string" && typeof value.message === "string";
}

/** Names an account without telling it: two hashes of the kind of FNV-1a, for a name may be an address. */
export function nameOf(account: string): string {
  const hash = (prime: number) =>
    [...account].reduce((sum, sign) => Math.imul(sum ^ (sign.codePointAt(0) ?? 0), prime) >>> 0, 0x811c9dc5);
  return `farewell:${hash(0x01000193).toString(36)}-${hash(0x5f356495).toString(36)}`;
}
