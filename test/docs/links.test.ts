import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { anchorsOf, pages, root, textOf } from "./pages.js";

/** Everything that a page links to in the repository, and each picture that it shows. */
function targetsOf(text: string): readonly string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, "");
  const links = [...prose.matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)];
  const pictures = [...prose.matchAll(/<img src="([^"]+)"/g)];
  return [...links, ...pictures].map(([, target = ""]) => target);
}

describe("the links", () => {
  test.each([...pages])("of %s lead somewhere", (page, text) => {
    const broken = targetsOf(text).filter((target) => {
      const [path, anchor] = target.split("#");
      const file = path ? join(root, dirname(page), path) : join(root, page);
      if (!existsSync(file)) return true;
      return (
        anchor !== undefined &&
        (statSync(file).isDirectory() || !anchorsOf(readFileSync(file, "utf8")).includes(anchor))
      );
    });
    expect(broken).toEqual([]);
  });

  test("of the contents lead to every page of docs/", () => {
    const listed = targetsOf(textOf("docs/README.md")).map((target) => relative(root, join(root, "docs", target)));
    const written = [...pages.keys()].filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
    expect(written.filter((page) => !listed.includes(page))).toEqual([]);
  });
});

describe("the README", () => {
  test("is short enough to be read", () => {
    expect(textOf("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  });

  test("installs by hand what are peer dependencies", () => {
    const command = /npm i (farewell [^#\n]*)/.exec(textOf("README.md"))?.[1];
    const optional = Object.keys(packageJson.peerDependenciesMeta);
    const peers = Object.keys(packageJson.peerDependencies).filter((name) => !optional.includes(name));
    expect(command?.trim().split(" ").sort()).toEqual(["farewell", ...peers, "@connectrpc/connect-web"].sort());
  });
});

test("the commands name npm scripts that exist", () => {
  const commands = [...pages.values()].flatMap((text) => [...text.matchAll(/npm (?:run ([\w:-]+)|(test))/g)]);
  const scripts = new Set(commands.map(([, run, test]) => run ?? test ?? ""));
  expect(scripts).toContain("test");
  expect([...scripts].filter((script) => !Object.hasOwn(packageJson.scripts, script))).toEqual([]);
});
