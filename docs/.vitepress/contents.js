import { readFileSync } from "node:fs";
import { posix } from "node:path";

/**
 * The sidebar, read from the contents of `docs/README.md`, so that both have the same order: each heading with a list below
 * it becomes a group.
 *
 * @param {(file: string) => string | undefined} pageOf the page of a file of the repository
 */
export function sidebar(pageOf) {
  const contents = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const groups = [];
  for (const line of contents.split("\n")) {
    const heading = /^## (.*)$/.exec(line)?.[1];
    if (heading) groups.push({ text: heading, collapsed: groups.length > 3, items: [] });
    const [, text, target] = /^- \[(.*?)\]\((.*?)\)/.exec(line) ?? [];
    if (text) groups.at(-1)?.items.push({ text: html(text), link: `/${pageOf(posix.join("docs", target))}` });
  }
  return groups.filter(({ items }) => items.length > 0);
}

/** Code marks, for the sidebar takes HTML. */
function html(text) {
  return text.replaceAll(/`(.*?)`/g, "<code>$1</code>");
}
