// Tries the package as a stranger gets it: packs a copy of the tree that has never been built, installs the tarball into
// an empty project beside its peers, imports each of its entries, type-checks a small app, and runs the quick start.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyTree } from "./copy.mjs";

const { name, exports, peerDependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const wanted = [
  ...Object.keys(peerDependencies),
  ...["@connectrpc/connect-node", "typescript", "@types/node", "@types/react"], // what the small app needs besides
];
const folder = mkdtempSync(join(tmpdir(), "farewell-package-"));
try {
  const app = join(folder, "app");
  mkdirSync(app);
  const tarball = pack(join(folder, "clone"), app);
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  const versions = wanted.map((each) => `${each}@${devDependencies[each]}`);
  run(app, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`, ...versions);
  importEntries(app);
  lookForDirective(app);
  compileAndRun(app);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function pack(clone, destination) {
  mkdirSync(clone);
  copyTree(clone);
  symlinkSync(join(process.cwd(), "node_modules"), join(clone, "node_modules")); // as `npm ci` leaves it, and sooner
  if (existsSync(join(clone, "dist"))) throw new Error("the copy was to have nothing that is built");
  run(clone, "npm", "pack", "--loglevel=error", "--pack-destination", destination);
  return readdirSync(destination).find((file) => file.endsWith(".tgz"));
}

/** Plain JavaScript finds each entry by its name. */
function importEntries(app) {
  const entries = Object.keys(exports).filter((key) => !key.endsWith(".json") && !key.includes("*"));
  const names = entries.map((key) => join(name, key));
  const lines = names.map(
    (each, index) => `import * as entry${index} from "${each}";\nshow("${each}", entry${index});`,
  );
  const show = `function show(name, { ...entry }) {
  const names = Object.keys(entry);
  if (names.length === 0) throw new Error(name + " exports nothing");
  console.log(name + ": " + names.join(", "));
}`;
  writeFileSync(join(app, "entries.js"), `${lines.join("\n")}\n${show}\n`);
  run(app, "node", "entries.js");
}

/** Next.js takes the hooks from a server component only by this. */
function lookForDirective(app) {
  const hooks = readFileSync(join(app, "node_modules", name, "dist/react/index.js"), "utf8");
  if (!hooks.startsWith('"use client";')) throw new Error('farewell/react is to begin with "use client"');
}

/** The quick start that the package ships, and an app that uses the types of every entry: strict, libraries included. */
function compileAndRun(app) {
  const examples = join(app, "node_modules", name, "examples");
  for (const file of ["quick-start.ts", "chat-server.ts"]) cpSync(join(examples, file), join(app, file));
  cpSync(join(examples, "gen/chat"), join(app, "gen/chat"), { recursive: true });
  cpSync("test/package/consumer.ts", join(app, "consumer.ts"));
  const compilerOptions = {
    module: "NodeNext",
    target: "ES2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    types: ["node"],
  };
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "gen"] }));
  run(app, "npx", "--no", "tsc");

  const told = run(app, "node", "quick-start.js");
  const messages = told.match(/^message \d+$/gm) ?? [];
  const wanted = Array.from({ length: 12 }, (_, index) => `message ${index + 1}`);
  if (messages.join() !== wanted.join() || !told.includes("You were put out: Idle for 10 minutes")) {
    throw new Error(`the quick start was to read ${wanted.length} messages and to say why it was put out`);
  }
}

function run(cwd, command, ...args) {
  console.log(`> ${command} ${args.join(" ")}`);
  const told = execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 300_000,
  });
  process.stdout.write(told);
  return told;
}
