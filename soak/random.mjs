import { seeded } from "../bench/figures.mjs";

/** Chance that is the same for the same seed. */
export function chanceOf(...seeds) {
  const random = seeded(seeds.reduce((mixed, seed) => Math.imul(mixed ^ seed, 0x9e3779b1) + 1, 7));
  const between = (from, to) => from + random() * (to - from);
  return {
    between,
    whole: (from, to) => Math.floor(between(from, to + 1)),
    yes: (share) => random() < share,
    of: (list) => list[Math.floor(random() * list.length)],
    /** One of the keys, by their weights. */
    weighed(weights) {
      let left = random() * Object.values(weights).reduce((sum, weight) => sum + weight, 0);
      for (const [key, weight] of Object.entries(weights)) {
        left -= weight;
        if (left < 0) return key;
      }
      return Object.keys(weights)[0];
    },
  };
}
