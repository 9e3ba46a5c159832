import { textFrom } from "../../disconnect/border.js";

/** Of what is deeper, or beyond so many entries, nobody needs to know in a log. */
const deepest = 6;
const mostEntries = 1_000;

/**
 * The fields of a log line. Texts that came from outside, such as a user's name or an admin's words, make no line of their
 * own and no colour on a terminal: they are cut, and their control characters are blanks. Errors are logged as they are.
 */
export function loggable(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return textFrom(value);
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Error) return value;
  if (depth >= deepest) return "…";
  if (Array.isArray(value)) return value.slice(0, mostEntries).map((entry) => loggable(entry, depth + 1));
  const entries = Object.entries(value).slice(0, mostEntries);
  return Object.fromEntries(entries.map(([name, entry]) => [textFrom(name), loggable(entry, depth + 1)]));
}
