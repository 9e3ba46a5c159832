/** A TypeError that names the option, the value it had and what was expected. */
export function invalid(option: string, value: unknown, expected: string): TypeError {
  return new TypeError(`${option}: expected ${expected}, got ${shown(value)}`);
}

/** As much of a value, or of a name, as a message needs: it may have come from outside. */
const longestShown = 200;

function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null)
    return typeof value === "string" ? JSON.stringify(value.slice(0, longestShown)) : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid Date" : value.toISOString();
  try {
    return JSON.stringify(value).slice(0, 80);
  } catch {
    return "an object";
  }
}

/** A number in [min, max], or throws. */
export function numberIn(option: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw invalid(
    option,
    value,
    max === Number.MAX_SAFE_INTEGER ? `a number of at least ${min}` : `a number from ${min} to ${max}`,
  );
}

/** An object whose keys are all among `known`, or throws. */
export function objectOf(
  option: string,
  value: unknown,
  known?: readonly string[],
): { readonly [key: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(option, value, "an object");
  for (const key of Object.keys(value)) {
    if (known && !known.includes(key))
      throw new TypeError(`${option}.${key.slice(0, longestShown)}: unknown; expected one of ${known.join(", ")}`);
  }
  return value as { readonly [key: string]: unknown };
}

/** A function, or throws. */
export function functionIn(option: string, value: unknown): void {
  if (typeof value !== "function") throw invalid(option, value, "a function");
}

/** A function or `undefined`, or throws. */
export function functionOr(option: string, value: unknown): void {
  if (value !== undefined) functionIn(option, value);
}

/** One of `choices`, or throws. */
export function oneOf<T extends string>(option: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw invalid(option, value, choices.map((choice) => JSON.stringify(choice)).join(" or "));
}
