import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Installed, built or generated: not ours, or not written by hand. */
const foreign = new Set(["node_modules", "dist", "api", ".vitepress"]);

/** Every page that is written by hand, by its path in the repository. */
export const pages: ReadonlyMap<string, string> = new Map(
  [...pagesIn("", false), ...pagesIn("docs/", true), ...pagesIn("examples/", true)].map((path) => [
    path,
    readFileSync(join(root, path), "utf8"),
  ]),
);

function pagesIn(folder: string, deep: boolean): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) return deep && !foreign.has(entry.name) ? pagesIn(`${path}/`, true) : [];
    return path.endsWith(".md") ? [path] : [];
  });
}

/** @throws Error where there is none */
export function textOf(page: string): string {
  const text = pages.get(page);
  if (text === undefined) throw new Error(`there is no page ${page}`);
  return text;
}

/** A fenced block of code. */
export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

export const blocks: readonly Block[] = [...pages].flatMap(([page, text]) =>
  [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language = "", 2: code = "" }) => ({
    page,
    line: text.slice(0, index).split("\n").length + 1,
    language,
    code,
  })),
);

/**
 * The table whose first columns, and first row if given, begin like this. Cells come without their code marks.
 *
 * @throws Error where the page has none
 */
export function table(page: string, first: string, second: string, row = ""): readonly string[][] {
  const tables = [...textOf(page).matchAll(/(?:^\|.*\|\n)+/gm)].map(
    ([lines]) =>
      lines
        .trim()
        .split("\n")
        .map((line) => line.slice(1, -1).split("|"))
        .map((cells) => cells.map((cell) => cell.trim().replaceAll("`", "")))
        .filter((_, index) => index !== 1), // the ruler
  );
  const found = tables.find(([header, top]) => {
    return header?.[0] === first && header[1] === second && top?.[0]?.startsWith(row);
  });
  if (!found) throw new Error(`${page} has no table ${first} | ${second}`);
  return found;
}

/** The first column without its header. */
export function column(rows: readonly string[][]): readonly string[] {
  return rows.slice(1).map(([name = ""]) => name);
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(({ 1: heading = "" }) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
