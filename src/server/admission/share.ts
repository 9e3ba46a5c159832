/** How much more of what is left one may have than what it leaves to the others. */
const factor = 3;

/**
 * Whether one that has so much of something scarce may have one more, while so many are left. Pure. The more it has, the
 * more it must leave: one alone gets three quarters, two get three sevenths each, and who has nothing gets the last one. So nobody
 * needs to know how many want some, and a thousand share as fairly as two (Choudhury and Hahne's dynamic thresholds,
 * IEEE/ACM Transactions on Networking 6/2, 1998).
 */
export function mayHaveMore(has: number, left: number): boolean {
  return left >= 1 && (has === 0 || has < factor * (left - 1));
}
