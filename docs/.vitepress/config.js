import { existsSync, readFileSync } from "node:fs";
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

/** A link from outside of the pages' own text. @throws Error where it leads nowhere */
function to(file) {
  const page = pageOf(file);
  if (!page || !existsSync(join(root, file))) throw new Error(`the site links to ${file}, which is no page`);
  return `/${page}`;
}

/** Vite looks for what it bundles ahead in the root of the pages, and VitePress is not installed there. */
const asInstalled = {
  name: "as-installed",
  configResolved({ optimizeDeps }) {
    optimizeDeps.include = [];
  },
};

/** Anchors as GitHub makes them, so that a link to a heading is the same in both. */
const slugify = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

/** Who searches has a task: the guide comes before the list of all exports. VitePress sends this function to the browser. */
const guideFirst = (page) => (page.includes("/reference/api/") ? 0.2 : 1);

const icon = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#3451b2"/><path d="M8 17h11m-5-6 6 6-6 6M25 9v16" fill="none" stroke="#fff" stroke-width="3"/></svg>',
)}`;

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
  head: [["link", { rel: "icon", href: icon }]],
  vite: { publicDir: false, optimizeDeps: { noDiscovery: true }, plugins: [asInstalled] },
  markdown: {
    anchor: { slugify },
    config: (markdown) => markdown.use(repositoryLinks, { root, pageOf, repository: address }),
  },
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
            action("Quick start", to("docs/guide/quick-start.md"), "brand"),
            action("Kick a client", to("docs/guide/server/putting-out.md")),
            action("The reasons", to("docs/guide/reasons.md")),
          ],
        },
      },
    };
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: to("docs/guide/quick-start.md"), activeMatch: "^/(guide|examples)/" },
      { text: "Reference", link: to("docs/reference/README.md"), activeMatch: "^/(reference|protocol|glossary)" },
      {
        text: "Inside",
        link: to("docs/architecture.md"),
        activeMatch: "^/(architecture|decisions|contributing|changelog)",
      },
      { text: "Examples", link: to("examples/README.md") },
    ],
    sidebar: sidebar(pageOf).flatMap((group) => (group.text === "Reference" ? [group, everyExport] : [group])),
    outline: { level: [2, 3] },
    search: { provider: "local", options: { miniSearch: { searchOptions: { boostDocument: guideFirst } } } },
    socialLinks: address ? [{ icon: "github", link: address }] : [],
  },
});
