import { existsSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/**
 * Links in the pages are relative, for readers of the repository. Here they are turned into links of the site. One to a
 * file that is no page leads to the repository, if that has an address, and is text otherwise.
 *
 * @throws Error where a link leads nowhere, which ends the build
 * @param {import("markdown-it")} markdown
 * @param {{ root: string, pageOf: (file: string) => string | undefined, repository: string | undefined }} site
 */
export function repositoryLinks(markdown, { root, pageOf, repository }) {
  markdown.core.ruler.push("repository-links", ({ tokens, env }) => {
    const from = env.realPath ?? env.path;
    const inline = tokens.flatMap(({ children }) => children ?? []);
    inline.forEach((token, index) => {
      const href = token.type === "link_open" ? token.attrGet("href") : null;
      if (!href || /^(\w+:|#|\/)/.test(href)) return;
      const [path = "", anchor] = decodeURI(href).split("#");
      const file = resolve(dirname(from), path);
      if (!existsSync(file)) throw new Error(`${relative(root, from)}: the link to ${href} leads nowhere`);
      const page = pageOf(relative(root, statSync(file).isDirectory() ? join(file, "README.md") : file));
      if (page !== undefined) token.attrSet("href", `/${page}${anchor ? `#${anchor}` : ""}`);
      else if (repository) token.attrSet("href", `${repository}/${relative(root, file)}`);
      else unlink(inline, index);
    });
  });
}

/** Leaves the text of a link, without the link. */
function unlink(tokens, index) {
  const end = tokens.slice(index).find(({ type }) => type === "link_close");
  for (const token of [tokens[index], end])
    Object.assign(token ?? {}, { type: "text", tag: "", nesting: 0, content: "" });
}
