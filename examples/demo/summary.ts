import { stripVTControlCharacters, styleText } from "node:util";
import { painted } from "./narrate.js";
import type { Result } from "./stage.js";

/** Scene → reason understood → decision → ok, as a table. */
export function summary(results: readonly Result[]): string {
  const heading = ["", "scene", "understood as", "decision", "ok"].map((text) => styleText("dim", text));
  const rows = results.map(({ title, understood, decision, failure }, index) => [
    String(index + 1),
    title,
    understood.map(painted).join(", ") || "–",
    failure === undefined ? decision : styleText("red", "not as it should be"),
    failure === undefined ? styleText("green", "✓") : styleText("red", "✗"),
  ]);
  const table = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...table.map((row) => length(row[column]))));
  const lines = table.map((row) => {
    return row.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - length(cell))).join("  ");
  });
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  const verdict =
    failed === 0 ? `all ${results.length} as they should be` : `${failed} of ${results.length} not as they should be`;
  return `\n${lines.map((line) => `  ${line.trimEnd()}`).join("\n")}\n\n  ${styleText("bold", verdict)}\n`;
}

function length(cell = ""): number {
  return stripVTControlCharacters(cell).length;
}
