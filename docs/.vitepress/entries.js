import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

/** What an app can import, as the package itself says it: the name, its source, and its page in the reference. */
export const entries = Object.entries(exports).flatMap(([subpath, { types }]) => {
  if (!types) return []; // files, such as the protocol's
  const name = subpath.replace(/^\./, "farewell");
  const source = types.replace(/^\.\/dist\//, "src/").replace(/\.d\.ts$/, ".ts");
  return [{ name, source, page: `reference/api/${name}.md` }];
});
