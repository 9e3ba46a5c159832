import { fileURLToPath } from "node:url";

/**
 * One line of the table. Without a `bar` it is context, and neither good nor bad.
 *
 * @typedef {{ name: string, figure: number | string, unit?: string, note?: string, bar?: string, ok?: boolean }} Row
 */

/** Runs a benchmark if its file is the program: prints its rows, and hands them to run.mjs if that started it. */
export async function main(url, measure) {
  if (process.argv[1] !== fileURLToPath(url)) return;
  const rows = await measure();
  console.log(table(rows));
  if (process.send) await new Promise((sent) => process.send({ rows }, sent));
  process.exit(); // sessions and servers that are still open hold no results
}

/** A row that must not be above its bar. */
export function atMost(name, figure, bar, unit, note) {
  return { name, figure, unit, note, bar: `≤ ${bar}`, ok: figure <= bar };
}

/** A row that must not be below its bar. */
export function atLeast(name, figure, bar, unit, note) {
  return { name, figure, unit, note, bar: `≥ ${bar}`, ok: figure >= bar };
}

/** A row that must be exactly its bar. */
export function exactly(name, figure, bar, unit, note) {
  return { name, figure, unit, note, bar: `= ${bar}`, ok: figure === bar };
}

/** A row without a bar. */
export function context(name, figure, unit, note) {
  return { name, figure, unit, note };
}

export function table(rows) {
  const cells = rows.map(({ name, figure, unit, note, bar, ok }) => [
    name,
    `${typeof figure === "number" ? figure.toLocaleString("en", { maximumFractionDigits: 4 }) : figure}`,
    unit ?? "",
    bar ?? "",
    ok === undefined ? "" : ok ? "ok" : "NOT OK",
    note ?? "",
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...cells.map((row) => row[column].length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => (column === 1 ? cell.padStart(widths[column]) : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
