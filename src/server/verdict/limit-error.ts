/** More streams matched than was allowed: nothing was done. */
export class LimitError extends Error {
  override readonly name = "LimitError";
  /** How many streams matched. */
  readonly matched: number;
  /** How many were allowed. */
  readonly limit: number;

  constructor(reason: string, matched: number, limit: number) {
    super(`${reason}: ${matched} streams match, but the limit is ${limit}: nothing was done; a higher limit allows it`);
    this.matched = matched;
    this.limit = limit;
  }
}
