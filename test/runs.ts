/** Whether all runs are made, as `.ci/run` does, or a part of those that differ little, which is enough while one works. */
export const all = process.env.FAREWELL_RUNS === "all";

/** How many of so many random runs are to be made. */
export function runsOf(count: number): number {
  return all ? count : Math.ceil(count / 5);
}

/** Every fifth of these, from a place on that the caller may vary, and one at least; or all of them. */
export function someOf<T>(things: readonly T[], from = 0): readonly T[] {
  const every = Math.min(5, things.length);
  return things.filter((_, index) => all || index % every === from % every);
}
