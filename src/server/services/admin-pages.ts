import type { Stream } from "../inside/admitted-stream.js";

/** One page of those who are inside. */
export interface Page {
  readonly streams: readonly Stream[];
  /** Goes on after this page; empty on the last one. */
  readonly nextPageToken: string;
}

const largest = 1_000;
const usual = 100;

/**
 * Streams come in the order of their numbers, so a page goes on after one that has left, too.
 *
 * @param all in the order in which they came
 * @param pageSize 0: 100
 * @throws TypeError that names the field of the request
 */
export function pageOf(all: readonly Stream[], pageSize: number, pageToken: string): Page {
  if (pageSize > largest) throw new TypeError(`page_size: expected at most ${largest}, got ${pageSize}`);
  const from = pageToken === "" ? 0 : indexAfter(all, numberOf(pageToken));
  const streams = all.slice(from, from + (pageSize || usual));
  const more = from + streams.length < all.length;
  return { streams, nextPageToken: more ? (streams.at(-1)?.id ?? "") : "" };
}

function indexAfter(streams: readonly Stream[], number: number): number {
  const next = streams.findIndex(({ id }) => numberOf(id) > number);
  return next < 0 ? streams.length : next;
}

function numberOf(id: string): number {
  const number = Number(/-(\d+)$/.exec(id)?.[1]);
  if (Number.isNaN(number))
    throw new TypeError(`page_token: expected one from an answer before, got ${JSON.stringify(id)}`);
  return number;
}
