import type { Disconnect } from "../disconnect/disconnect.js";
import { type Bucket, movedBy, type Waiting } from "../session/extension.js";

/** What the tabs of one account know together. Plain data, without anything secret: no credentials, no errors. */
export interface Known {
  readonly plan?: Plan;
  readonly verdict?: SharedVerdict;
}

/** Stored apart, or two tabs that write at the same time could lose a verdict. */
export const parts: readonly (keyof Known)[] = ["plan", "verdict"];

/** What was done about an outage last. Times here are epoch ms: each page has its own clock for durations. */
export interface Plan {
  readonly at: number;
  readonly bucket: Bucket;
  /** The next attempt of all, if there is an outage. */
  readonly wait?: Waiting | undefined;
  /** When an attempt got through, if that was the last that happened. */
  readonly openAt?: number | undefined;
}

export interface SharedVerdict {
  readonly at: number;
  readonly why: string;
  /** `undefined`: it was lifted. */
  readonly disconnect?: Disconnect | undefined;
}

/** A plan with its times by a clock that is `byMs` ahead. */
export function planMovedBy(byMs: number, { at, bucket, wait, openAt }: Plan): Plan {
  return {
    at: at + byMs,
    bucket: { ...bucket, at: bucket.at + byMs },
    wait: wait && movedBy(byMs, wait),
    openAt: openAt === undefined ? undefined : openAt + byMs,
  };
}

/** @throws what `JSON.stringify` does for fields that an app has added */
export function toText(part: Plan | SharedVerdict): string {
  return JSON.stringify(part, function (this: { readonly [key: string]: unknown }, key, value) {
    const given = this[key];
    if (given instanceof Date) return { date: given.getTime() };
    return key === "cause" ? undefined : value;
  });
}

/** Names an account without spelling it: 45 bits of a polynomial hash. With a number for the format of what is stored. */
export function storageName(account: string): string {
  const hash = [...account].reduce((sum, sign) => (sum * 131 + (sign.codePointAt(0) ?? 0)) % 35184372088777, 7);
  return `farewell.1:${hash.toString(36)}:`;
}
