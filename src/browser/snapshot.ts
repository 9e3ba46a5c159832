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
export function fromText(text: unknown): Snapshot | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const { at, bucket, verdict, wait, openAt } = JSON.parse(text, (_, value) =>
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

/** Names an account without telling it: 53 bits of a hash (cyrb53), for a name may be an address. */
export function nameOf(account: string): string {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < account.length; index++) {
    const unit = account.charCodeAt(index);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return `farewell:${(2097151 & b).toString(36)}${(a >>> 0).toString(36)}`;
}
