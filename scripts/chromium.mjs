// Finds a Chromium or a Chrome for the tests in test/browser. Run as a script, it makes sure that there is one.
import { execFileSync } from "node:child_process";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** @returns {readonly string[]} where it usually is, the likeliest first */
function usualPaths() {
  const { env, platform } = process;
  if (platform === "win32") {
    const roots = [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA].filter((root) => root !== undefined);
    return ["Chromium", "Google\\Chrome"].flatMap((product) =>
      roots.map((root) => join(root, product, "Application", "chrome.exe")),
    );
  }
  if (platform === "darwin") {
    return ["Chromium", "Google Chrome"].flatMap((app) =>
      ["/", homedir()].map((root) => join(root, "Applications", `${app}.app`, "Contents", "MacOS", app)),
    );
  }
  const folders = [...(env.PATH ?? "").split(delimiter), "/usr/bin", "/usr/local/bin", "/snap/bin"];
  return names.flatMap((name) => folders.filter((folder) => folder !== "").map((folder) => join(folder, name)));
}

/**
 * Its path, or `undefined`.
 *
 * @throws Error if FAREWELL_CHROMIUM names something else than a program
 */
export function findChromium() {
  const { FAREWELL_CHROMIUM: named } = process.env;
  if (!named) return usualPaths().find(isProgram);
  if (isProgram(named)) return named;
  throw new Error(`FAREWELL_CHROMIUM: expected the path of a Chromium or a Chrome, got ${JSON.stringify(named)}`);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Installs Debian's, where that can be done without asking anybody. */
function install() {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return;
  const packager = "apt-get";
  const apt = (...args) =>
    execFileSync(packager, args, { stdio: "inherit", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  try {
    execFileSync(packager, ["--version"], { stdio: "ignore" });
  } catch {
    return; // not Debian, nor its kin
  }
  console.log("No Chromium found: installing Debian's, for the tests in test/browser.");
  try {
    apt("update");
    apt("install", "-y", "--no-install-recommends", "chromium");
  } catch (error) {
    console.error(`It could not be installed: ${error.message}`);
  }
}

const advice = `The tests in test/browser need a Chromium or a Chrome, and none was found. Do one of these:
- Debian: sudo apt-get install --no-install-recommends chromium
- Ubuntu: sudo snap install chromium
- Fedora: sudo dnf install chromium
- macOS: brew install --cask google-chrome
- Windows: winget install Google.Chrome
- or set FAREWELL_CHROMIUM to the path of one, such as /opt/chrome/chrome.`;

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    if (findChromium() === undefined) install();
    if (findChromium() === undefined) throw new Error(advice);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
