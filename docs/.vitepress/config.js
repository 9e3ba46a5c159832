import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { sidebar } from "./contents.js";
import { entries } from "./entries.js";
import { repositoryLinks } from "./links.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { description, repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const address = (repository?.url ?? repository)?.replace(/^git\+|\.git$/g, "");

/** Pages outside of docs/. The README is the repository's own face; here `docs/README.md` is the first page. */
const others = {
  "PROTOCOL.md": "protocol.md",
  "CHANGELOG.md": "changelog.md",
  "CONTRIBUTING.md": "contributing.md",
  "SECURITY.md": "security.md",
  "examples/README.md": "examples/index.md",
  "examples/lobby/README.md": "examples/lobby.md",
};

/** The page that a file of the repository becomes, if it becomes one. */
function pageOf(file) {
  if (file === "README.md") return "index.md";
  const inDocs = /^docs\/(.+\.md)$/.exec(file)?.[1];
  return inDocs ? inDocs.replace(/(^|\/)README\.md$/, "$1index.md") : others[file];
}

const everyExport = {
  text: "Every export",
  collapsed: true,
  items: entries.map(({ name, page }) => ({ text: name, link: `/${page}` })),
};

export default defineConfig({
  srcDir: "..",
  srcExclude: ["README.md", "{bench,dist,examples/dist,scripts,src,test}/**"],
  rewrites: (file) => pageOf(file) ?? file,
  title: "farewell",
  description,
  lang: "en",
  vite: { publicDir: false },
  markdown: { config: (markdown) => markdown.use(repositoryLinks, { root, pageOf, repository: address }) },
  transformPageData(page) {
    if (page.relativePath !== "index.md") return undefined;
    const action = (text, link, theme = "alt") => ({ text, link, theme });
    return {
      frontmatter: {
        ...page.frontmatter,
        layout: "home",
        hero: {
          name: "farewell",
          text: "Know why a stream ended",
          tagline:
            "and do the right thing next. Typed disconnects for long-lived Connect streams, in browsers and Node.",
          actions: [
            action("Quick start", "/guide/quick-start", "brand"),
            action("Kick a client", "/guide/server/"),
            action("The reasons", "/guide/reasons"),
          ],
        },
      },
    };
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide/quick-start", activeMatch: "^/(guide|examples)/" },
      { text: "Reference", link: "/reference/", activeMatch: "^/(reference|protocol|glossary)" },
      { text: "Inside", link: "/architecture", activeMatch: "^/(architecture|decisions|contributing|changelog)" },
      { text: "Examples", link: "/examples/" },
    ],
    sidebar: sidebar(pageOf).flatMap((group) => (group.text === "Reference" ? [group, everyExport] : [group])),
    outline: { level: [2, 3] },
    search: { provider: "local" },
    socialLinks: address ? [{ icon: "github", link: address }] : [],
  },
});
