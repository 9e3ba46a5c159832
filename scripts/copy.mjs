import { execFileSync } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";

/** Copies what a clone of the tree as it stands would have: no node_modules, and nothing that was built. */
export function copyTree(folder) {
  const listed = execFileSync("git", ["ls-files", "-z", "-co", "--exclude-standard"], { encoding: "utf8" });
  // Git also lists files that were deleted but not yet committed as such.
  for (const path of listed.split("\0").filter((path) => path !== "" && existsSync(path))) {
    cpSync(path, join(folder, path));
  }
}
