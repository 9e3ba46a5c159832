import { made, textFrom } from "../disconnect/border.js";
import type { Disconnect } from "../disconnect/disconnect.js";
import { fieldsFor } from "../disconnect/spoken.js";
import type { Bucket, Outage, Waiting } from "../session/extension.js";
import type { Known, Plan, SharedVerdict } from "./known.js";

// What is read from where other tabs, other versions, or people write: each field is what it should be, or there is none.

type Read = { readonly [field: string]: unknown };

/** Longer than what is written of the longest texts. What is deeper than the engine can read throws while it is read. */
const longest = 131_072;

/** What was written by `toText`, or `undefined`. What somebody has tampered with may be anything. */
export function fromText(part: keyof Known, text: unknown): Plan | SharedVerdict | undefined {
  try {
    if (typeof text !== "string" || text.length > longest) return undefined;
    const read = JSON.parse(text, (_, value) => (Number.isFinite(value?.date) ? new Date(value.date) : value));
    return Number.isFinite(read.at) ? readers[part](read) : undefined;
  } catch {
    return undefined; // nothing, or nothing of ours
  }
}

const readers: { readonly [P in keyof Known]-?: (read: Read) => NonNullable<Known[P]> } = {
  plan: ({ at, bucket, wait, openAt }): Plan => ({
    at: numberFrom(at),
    bucket: bucketFrom(bucket),
    wait: wait === undefined ? undefined : waitFrom(wait as Read),
    openAt: openAt === undefined ? undefined : numberFrom(openAt),
  }),
  verdict: ({ at, why, disconnect }): SharedVerdict => ({
    at: numberFrom(at),
    why: textFrom(why),
    disconnect: disconnect === undefined ? undefined : disconnectFrom(disconnect as Read),
  }),
};

function waitFrom({ until, refund, outage }: Read): Waiting {
  const read = outage as Read;
  const row = read.row as Read | undefined;
  const known: Outage = {
    downAt: numberFrom(read.downAt),
    floorAt: numberFrom(read.floorAt),
    down: true,
    disconnect: disconnectFrom(read.disconnect as Read),
    attempts: countFrom(read.attempts),
    attemptsBefore: countFrom(read.attemptsBefore),
    endings: countFrom(read.endings),
    row: row && { reason: textFrom(row.reason), number: countFrom(row.number), inDoubt: countFrom(row.inDoubt) },
    previousMs: countFrom(read.previousMs),
    gaveUp: false,
    told: [],
  };
  return { status: "waiting", outage: known, until: numberFrom(until), refresh: false, refund: bucketFrom(refund) };
}

/** @throws TypeError where it has no reason */
function disconnectFrom(read: Read): Disconnect {
  const { reason, message = "", localized, said, source } = read as unknown as Disconnect;
  if (typeof reason !== "string") throw new TypeError();
  return made(fieldsFor(reason, read), { reason, message, localized, said: said === true, source, cause: undefined });
}

function bucketFrom(bucket: unknown): Bucket {
  const { tokens, at } = bucket as Read;
  return { tokens: numberFrom(tokens), at: numberFrom(at) };
}

/** @throws TypeError for what is none: then nothing was written. */
function numberFrom(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new TypeError();
}

function countFrom(value: unknown): number {
  return Math.max(0, numberFrom(value));
}
