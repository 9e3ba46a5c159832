import { readFile } from "node:fs/promises";
import { createSession, type Policies, parsePolicies } from "farewell";
import { nodeTransport } from "farewell/node";

// Policies that are data: from a file, or from a remote configuration.
//
// Run: npm run build:examples && node examples/dist/policy-file/main.js examples/policy-file/policies.json

const [path = "examples/policy-file/policies.json"] = process.argv.slice(2);

const session = createSession(nodeTransport({ baseUrl: "http://127.0.0.1:8080" }), {
  policies: await load(path),
});
console.log(`${path} is fine; the session is ${session.state.status}`);
session.close();

/** Exits with what is wrong, where the file is not a file of policies. */
async function load(path: string): Promise<Policies> {
  try {
    return parsePolicies(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    console.error(`${path}: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
