import { median, quantile, round, seeded } from "./figures.mjs";

/**
 * Measures several ways side by side: in each round each takes a turn, in an order that is shuffled, so that what slows
 * the machine slows all. Answers with what each way's turns measured, by round.
 */
export async function takeTurns(ways, rounds, measure) {
  const taken = ways.map(() => []);
  for (let turn = 0; turn < rounds; turn++) {
    for (const index of shuffled(ways.keys())) taken[index].push(await measure(ways[index]));
  }
  return taken;
}

const random = seeded(1);
const shuffled = (values) =>
  [...values]
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);

/** One way's figure over another's, of the same round. */
export const ratios = (ones, others, what) => ones.map((one, turn) => one[what] / others[turn][what]);

export const medianOf = (taken, what) => median(taken.map((one) => one[what]));

/**
 * How many times one way's `perSecond` was the other's, in the middle; and its work per time of the server's processor,
 * which is the same where the server limits, and which neighbours on the machine do not slow.
 */
export function compared(ones, others) {
  return { perSecond: middle(ratios(ones, others, "perSecond")), perCpu: middle(ratios(others, ones, "cpuUs")) };
}

function middle(values) {
  const spread = [0.25, 0.75].map((q) => round(quantile(values, q), 3)).join("–");
  return { ratio: round(median(values), 3), spread: `quartiles ${spread}` };
}
