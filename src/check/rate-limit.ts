import { numberIn, objectOf } from "./invalid.js";

/** @throws TypeError that names the field. */
export function checkRateLimit(option: string, value: unknown): { readonly burst: number; readonly perMs: number } {
  const { burst, perMs } = objectOf(option, value, ["burst", "perMs"]);
  return { burst: numberIn(`${option}.burst`, burst, 1), perMs: numberIn(`${option}.perMs`, perMs, 1) };
}
