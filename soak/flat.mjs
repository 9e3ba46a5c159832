import { median } from "../bench/figures.mjs";

/** Fewer samples than this in each third say nothing. */
const leastSamples = 6;
const bound = 1.05;

/**
 * Whether what a process holds has come to rest: the last third of its samples beside the third before.
 *
 * @param slack so much more is no growth: a process has a few descriptors and timers more, or fewer, at any moment
 */
export function isFlat(samples, slack = 0) {
  const third = Math.floor(samples.length / 3);
  if (third < leastSamples) return { judged: false, flat: true, ratio: undefined };
  const [before, last] = [samples.slice(-2 * third, -third), samples.slice(-third)].map(median);
  return { judged: true, flat: last <= before * bound + slack, ratio: last / before };
}
