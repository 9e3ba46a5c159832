import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

/** What an app can import, as the package itself says it: its name, its source, what TypeDoc calls it, and its page. */
export const entries = Object.entries(exports).flatMap(([subpath, { types }]) => {
  if (!types) return []; // files, such as the protocol's
  const name = subpath.replace(/^\./, "farewell");
  const source = types.replace(/^\.\/dist\//, "src/").replace(/\.d\.ts$/, ".ts");
  const module = source.replace(/^src\//, "").replace(/(\/index)?\.ts$/, "");
  return [{ name, source, module, page: `reference/api/${name}.md` }];
});
